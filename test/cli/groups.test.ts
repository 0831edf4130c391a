// Groups on the command line: consume -g by several processes, and the group commands.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Millrace } from '../../client/index.ts'
import { loopbackBrokers } from './loopback-brokers.ts'
import type { LoopbackBrokers } from './loopback-brokers.ts'
import { millrace } from './millrace.ts'
import type { Ran, RunOptions } from './millrace.ts'

let brokers: LoopbackBrokers

beforeEach(async () => {
  brokers = await loopbackBrokers()
  brokers.cluster.create('orders', 4)
  for (let partition = 0; partition < 4; partition++) write(partition, 0, 10)
})
afterEach(async () => { await brokers.close() })

function write (partition: number, from: number, to: number): void {
  const values = Array.from({ length: to - from }, (_, index) => `${partition}-${from + index}`)
  brokers.cluster.write('orders', partition, values)
}

function run (line: string, options: RunOptions = {}): Promise<Ran> {
  return millrace(line.split(' '), { ...options, env: { MILLRACE_BOOTSTRAP: brokers.bootstrap } })
}

const lines = (text: string): string[] => text.split('\n').filter(line => line !== '').sort()

describe('consume -g', () => {
  it('shares the partitions with another process, and takes them over when it goes', async () => {
    let second: Ran | undefined
    const first = await run('consume orders -g audit', {
      during: async running => {
        for (const partition of [0, 1, 2, 3]) await running.says(`${partition}-9\n`)
        second = await run('consume orders -g audit', {
          during: async other => {
            while ((await described('audit')).members.filter(({ partitions }) => partitions === 2).length < 2);
            for (const partition of [0, 1, 2, 3]) write(partition, 10, 20)
            while ((await described('audit')).partitions.some(({ lag }) => lag !== 0));
            other.kill('SIGINT')
          }
        })
        while ((await described('audit')).members.length > 1);
        for (const partition of [0, 1, 2, 3]) write(partition, 20, 22)
        for (const partition of [0, 1, 2, 3]) await running.says(`${partition}-21\n`)
        running.kill('SIGINT')
      }
    })
    expect([first.code, first.stderr, second!.code, second!.stderr]).toEqual([0, '', 0, ''])
    const all = [...lines(first.stdout), ...lines(second!.stdout)]
    expect(all).toHaveLength(4 * 22)
    expect(new Set(all).size).toBe(4 * 22)
    expect(lines(second!.stdout)).toHaveLength(20)
  })

  it('-e waits for what is still another\'s, and reads it to its end', async () => {
    await run('consume orders -g audit', {
      during: async running => {
        for (const partition of [0, 1, 2, 3]) await running.says(`${partition}-9\n`)
        running.kill('SIGKILL')
        for (const partition of [0, 1, 2, 3]) write(partition, 10, 15)
        // Its stream is broken: it is waited for, for three seconds.
        const { code, stdout } = await run('consume orders -g audit -e')
        expect(code).toBe(0)
        // From its last commit on: nothing is left out.
        for (const partition of [0, 1, 2, 3]) expect(lines(stdout)).toContain(`${partition}-14`)
      }
    })
  })
})

interface Described {
  readonly state: string
  readonly members: { readonly partitions: number, readonly client: string }[]
  readonly partitions: { readonly partition: number, readonly committed: number | null, readonly lag: number }[]
}

async function described (group: string): Promise<Described> {
  return JSON.parse((await run(`group describe ${group} --json`)).stdout) as Described
}

describe('group', () => {
  beforeEach(async () => { await run('consume orders -g audit -p 0,1 -e') })

  it('list', async () => {
    expect((await run('group list')).stdout)
      .toMatch(/^GROUP +MODE +STATE +MEMBERS +PARTITIONS\naudit +consumer +empty +0 +2\n$/)
    expect(JSON.parse((await run('group list --json')).stdout)).toMatchObject({ group: 'audit', state: 'empty' })
  })

  it('describe', async () => {
    write(1, 10, 13)
    const { stdout } = await run('group describe audit')
    expect(stdout).toContain('State      empty, epoch 0, uniform\nLag        3\n')
    expect(stdout).toMatch(/\norders +0 +10 +10 +0 +-\norders +1 +10 +13 +3 +-\n$/)
    const missing = await run('group describe nobody')
    expect([missing.code, missing.stderr]).toEqual([4, '% error: no group nobody.\n'])
  })

  it('reset', async () => {
    const dry = await run('group reset audit --to start --dry-run')
    expect(dry.stderr).toBe('% 4 partitions would be reset; nothing was changed\n')
    expect(dry.stdout).toMatch(/orders +0 +10 +0\norders +1 +10 +0\norders +2 +- +0\norders +3 +- +0\n$/)
    expect((await described('audit')).partitions.map(({ committed }) => committed)).toEqual([10, 10])
    expect((await run('group reset audit --to 7 -p 1')).stderr).toBe('% 1 partition reset\n')
    expect((await run('group reset audit --to -100 --topic orders -p 0,3 --json')).stdout.trim().split('\n')
      .map(line => JSON.parse(line) as unknown)).toEqual([
      { topic: 'orders', partition: 0, from: 10, to: 0 }, { topic: 'orders', partition: 3, from: null, to: 0 }
    ])
    expect((await described('audit')).partitions.map(({ committed }) => committed)).toEqual([0, 7, 0])
    const unknown = await run('group reset nobody --to end')
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('has committed nothing')])
  })

  it.each([
    ['start', [0, 0]], ['end', [20, 10]], ['12', [12, 10]], ['-3', [17, 7]], ['@5000', [15, 10]],
    ['@1970-01-01T00:00:02Z', [10, 10]], ['@0', [0, 0]]
  ])('reset --to %s, and with --dry-run says so alone', async (to, places) => {
    brokers.cluster.write('orders', 0, ['a', 'b', 'c', 'd', 'e'], 2_000)
    brokers.cluster.write('orders', 0, ['f', 'g', 'h', 'i', 'j'], 5_000)
    const committed = async (): Promise<(number | null)[]> =>
      (await described('audit')).partitions.filter(({ partition }) => partition < 2).map(each => each.committed)
    const dry = await run(`group reset audit --to ${to} -p 0,1 --json --dry-run`)
    expect(dry.stderr).toBe('% 2 partitions would be reset; nothing was changed\n')
    expect(await committed()).toEqual([10, 10])
    const done = await run(`group reset audit --to ${to} -p 0,1 --json`)
    expect([done.code, done.stderr, done.stdout]).toEqual([0, '% 2 partitions reset\n', dry.stdout])
    expect(await committed()).toEqual(places)
    // The group goes on there.
    expect(lines((await run('consume orders -g audit -p 0,1 -e')).stdout)).toHaveLength(30 - places[0]! - places[1]!)
  })

  it('reset refuses a partition that is not there, and a time that is none', async () => {
    const beyond = await run('group reset audit --to start -p 1,9')
    expect([beyond.code, beyond.stdout, beyond.stderr])
      .toEqual([4, '', expect.stringContaining('no partition 9 in orders')])
    expect((await described('audit')).partitions.map(({ committed }) => committed)).toEqual([10, 10])
    expect((await run('group reset audit --to @yesterday')).code).toBe(2)
  })

  it('reset passes over a topic that is gone, unless it is named', async () => {
    brokers.cluster.create('parcels', 1)
    brokers.cluster.write('parcels', 0, ['a'])
    await run('consume parcels -g audit -e')
    brokers.cluster.topics.delete('parcels')
    const named = await run('group reset audit --to start --topic parcels,orders')
    expect([named.code, named.stderr]).toEqual([4, expect.stringContaining('parcels')])
    const others = await run('group reset audit --to start')
    expect([others.code, others.stderr])
      .toEqual([0, '% topic parcels is gone; it is passed over\n% 4 partitions reset\n'])
    brokers.cluster.topics.delete('orders')
    const none = await run('group reset audit --to start')
    expect([none.code, none.stderr]).toEqual([4, expect.stringContaining('every topic that group audit has committed')])
  })

  it('delete', async () => {
    expect((await run('group delete audit')).stderr).toBe('% group audit is forgotten\n')
    expect((await run('group list')).stderr).toContain('no groups')
    expect((await run('group delete audit')).code).toBe(4)
  })

  it('with members is neither reset nor deleted', async () => {
    await run('consume orders -g audit', {
      during: async running => {
        while ((await described('audit')).members.length === 0);
        const reset = await run('group reset audit --to start')
        expect([reset.code, reset.stderr]).toEqual([1, expect.stringContaining('group audit has 1 member')])
        const dry = await run('group reset audit --to start --dry-run')
        expect([dry.code, dry.stderr]).toEqual([1, reset.stderr])
        const deletion = await run('group delete audit')
        expect([deletion.code, deletion.stderr]).toEqual([1, expect.stringContaining('the group has members')])
        expect((await described('audit')).members[0]!.client).toBe('millrace consume (127.0.0.1)')
        running.kill('SIGINT')
      }
    })
  })

  it('with members that have committed nothing is not said to be reset either', async () => {
    await using client = new Millrace({ bootstrap: brokers.bootstrap })
    await client.consumer({ group: 'fresh', autoCommitIntervalMs: 0 }).subscribe(['orders'])
    expect((await described('fresh')).partitions.map(({ committed }) => committed)).toEqual([null, null, null, null])
    const dry = await run('group reset fresh --to start --topic orders --dry-run')
    expect([dry.code, dry.stderr]).toEqual([1, expect.stringContaining('group fresh has 1 member')])
  })
})
