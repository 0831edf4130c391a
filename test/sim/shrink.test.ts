// A run that fails is made small, on a build that is broken on purpose; and its command repeats it.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { SimFailure } from './failure.ts'
import { formatPlan, parsePlan, PlanError } from './plan-text.ts'
import { runSeed } from './run.ts'
import { ddmin, shrink } from './shrink.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly out: string
}

/** The simulator in a process of its own; with a rule taken out of the source when one is named. */
function simulate (args: readonly string[], mutation?: string): Promise<Ended> {
  const at = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
  const broken = `import { load } from ${at('./mutations/loader.ts')}
    import { mutations } from ${at('./mutations/all.ts')}
    load(mutations.find(({ name }) => name === ${JSON.stringify(mutation)}))`
  const flags = mutation === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(broken)}`]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, main, ...args],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' } })
    let out = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => { out += data.toString() })
    child.on('error', reject)
    child.on('close', (code) => { resolve({ code, out }) })
  })
}

test('delta debugging leaves what matters, whatever the order', async () => {
  const items = Array.from({ length: 30 }, (_, i) => i)
  for (const needed of [[], [7], [3, 4], [0, 15, 29], [1, 2, 8, 21, 28]]) {
    let tried = 0
    const left = await ddmin(items, (some) => {
      tried++
      return Promise.resolve(needed.every((item) => some.includes(item)))
    })
    expect(left).toEqual(needed)
    expect(tried).toBeLessThan(120)
  }
})

test('plans survive their text; what is no plan is refused', () => {
  const plan = parsePlan(5, '{"producers":1,"faults":{"kill":1500},"only":["kill#0"]}')
  expect([plan.producers, [...plan.faults], plan.only]).toEqual([1, [['kill', 1500]], ['kill#0']])
  expect(parsePlan(5, formatPlan(5, plan))).toEqual(plan)
  for (const text of ['{', '[]', 'null', '{"unknown":1}', '{"producers":"1"}', '{"faults":{"rain":1}}']) {
    expect(() => parsePlan(5, text)).toThrow(PlanError)
  }
})

test('a broken build: the seed, a smaller run, and the command that repeats it', async () => {
  const mutation = 'commit-by-majority'
  const { code, out } = await simulate(['--seed', '1', '--seeds', '40', '--shrink', '5'], mutation)
  expect(code).toBe(1)
  // The whole story twice: of the seed, and of the smaller run.
  const story = ['last log lines:', 'last events:', 'faults:', 'plan:', 'violated:', 'again:']
  const headings = new RegExp(`^(${story.join('|')})`, 'gm')
  expect(out.match(headings)).toEqual([...story, ...story])
  const [, seed = '', plan = ''] = /smallest of [^]*again: npm run sim -- --seed (\d+) --plan '(.*)'/.exec(out) ?? []
  expect(plan).not.toBe('')
  const kind = /violated: (.*)/.exec(out)![1]!
  const again = await simulate(['--seed', seed, '--plan', plan, '--shrink', '0'], mutation)
  expect([again.code, /violated: (.*)/.exec(again.out)?.[1]]).toEqual([1, kind])
}, 60_000)

test('a run that is under way when the time is over is given up', async () => {
  const plan = parsePlan(3, '{"safetyMs":1000}')
  const { failure } = await runSeed(3, plan, { isOver: () => true })
  expect(failure?.kind).toBe('given up')
  const failed = { ...await runSeed(3, plan), failure: new SimFailure('liveness', 'it does not heal') }
  // Smaller runs that never end by themselves.
  const { result, runs } = await shrink(failed, 0.05, async (_, __, spectator) => {
    while (spectator?.isOver?.() === false) await new Promise(setImmediate)
    return { ...failed, failure: new SimFailure('given up', '') }
  })
  expect([result, runs]).toEqual([failed, 1])
})

test('another process sees the same', async () => {
  const plan = '{"safetyMs":1000}'
  const there = simulate(['--seed', '3', '--plan', plan])
  const here = await runSeed(3, parsePlan(3, plan))
  const { code, out } = await there
  expect(code).toBe(0)
  expect(/trace (\w+)/.exec(out)?.[1]).toBe(here.hash)
}, 60_000)

test('bad arguments are refused', async () => {
  const bad = ['--seed x', '--seeds 0', '--minutes -1', '--jobs 0', '--seeds 1 --plan {}', '--seed 1 --plan {', '7']
  const ended = await Promise.all(bad.map((args) => simulate(args.split(' '))))
  expect(ended.map(({ code }) => code)).toEqual(bad.map(() => 2))
}, 30_000)
