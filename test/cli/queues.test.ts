// Queue groups on the command line.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loopbackBrokers } from './loopback-brokers.ts'
import type { LoopbackBrokers } from './loopback-brokers.ts'
import { millrace } from './millrace.ts'
import type { Ran, RunOptions } from './millrace.ts'

let brokers: LoopbackBrokers

beforeEach(async () => {
  brokers = await loopbackBrokers()
  brokers.cluster.create('jobs', 1)
  write(0, 40)
})
afterEach(async () => { await brokers.close() })

function write (from: number, to: number): void {
  brokers.cluster.write('jobs', 0, Array.from({ length: to - from }, (_, index) => String(from + index)))
}

function run (line: string, options: RunOptions = {}): Promise<Ran> {
  return millrace(line.split(' '), { ...options, env: { MILLRACE_BOOTSTRAP: brokers.bootstrap } })
}

async function members (): Promise<number> {
  return (JSON.parse((await run('group describe mail --json')).stdout) as { members: unknown[] }).members.length
}

const lines = (text: string): number[] => text.split('\n').filter(line => line !== '').map(Number).sort((a, b) => a - b)
const numbers = (end: number): number[] => Array.from({ length: end }, (_, index) => index)

describe('consume --queue', () => {
  it('shares one partition with another process, and repeats nothing that was written', async () => {
    let second: Ran | undefined
    const first = await run('consume jobs -g mail --queue', {
      during: async running => {
        await running.says('39\n')
        second = await run('consume jobs -g mail --queue', {
          during: async other => {
            while ((await members()) < 2);
            let heard = false
            void other.says('\n').then(() => { heard = true })
            // One by one: each goes to whoever has least to do.
            for (let next = 40; !heard; next++) {
              write(next, next + 1)
              await members()
            }
            other.kill('SIGINT')
          }
        })
        running.kill('SIGINT')
      }
    })
    expect([first.code, first.stderr, second!.code, second!.stderr]).toEqual([0, '', 0, ''])
    const rest = await run('consume jobs -g mail --queue -e')
    const end = brokers.cluster.partition('jobs', 0).end
    expect([...lines(first.stdout), ...lines(second!.stdout), ...lines(rest.stdout)].sort((a, b) => a - b))
      .toEqual(numbers(end))
    expect(lines(second!.stdout).length).toBeGreaterThan(0)
  })

  it('ends after so many, and another goes on behind them', async () => {
    const first = await run('consume jobs -g mail --queue -n 15')
    expect(first.code).toBe(0)
    expect(lines(first.stdout)).toEqual(numbers(15))
    const rest = await run('consume jobs -g mail --queue -e -f %o\\n')
    expect([...lines(first.stdout), ...lines(rest.stdout)]).toEqual(numbers(40))
  })

  it('says what it needs', async () => {
    for (const line of ['--queue', '-g mail --queue -p 0', '-g mail --queue -o 5']) {
      const { code, stderr } = await run(`consume jobs ${line}`)
      expect([code, stderr]).toEqual([2, expect.stringContaining('--queue')])
    }
  })
})

describe('group describe', () => {
  it('shows what is in flight, finished and left', async () => {
    await run('consume jobs -g mail --queue -n 15')
    const { stdout } = await run('group describe mail')
    expect(stdout).toContain('State      queue, empty')
    expect(stdout).toContain('Lag        25\n')
    expect(stdout).toContain('15 acknowledged, 0 rejected, 0 dead-lettered')
    expect(stdout).toMatch(/\njobs +0 +15 +\d+ +40 +25 +\d+ +0 +0\n$/)
    const facts = JSON.parse((await run('group describe mail --json')).stdout) as Record<string, unknown>
    expect(facts).toMatchObject({ mode: 'queue', queues: [{ topic: 'jobs', acknowledged: 15, start: 15 }] })
    expect((await run('group list')).stdout).toMatch(/\nmail +queue +empty/)
  })

  it('goes on elsewhere after a reset', async () => {
    await run('consume jobs -g mail --queue -n 15')
    await run('group reset mail --to 38')
    const { stdout } = await run('consume jobs -g mail --queue -e')
    expect(lines(stdout)).toEqual([38, 39])
  })
})
