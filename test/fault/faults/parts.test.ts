// The parts of `npm run faults` that a mistake could make blind: a cut that does not cut, a gap not seen, an
// anomaly that the verdict lets pass.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { checkGroups } from '../../check/groups.ts'
import type { Operation, SendOperation } from '../../check/history.ts'
import { freePort, until } from '../harness.ts'
import { evidence } from './evidence.ts'
import { Acknowledgements } from './gaps.ts'
import { groupFigures } from './group-figures.ts'
import { HistoryFile, readHistory } from './history-file.ts'
import type { Death } from './kind.ts'
import { faultKinds } from './kinds.ts'
import { Network } from './network.ts'
import { parseFaultOptions } from './options.ts'
import { judgeQueues, redeliveryMs } from './queue-figures.ts'
import { allPairs } from './rounds.ts'
import type { Round } from './rounds.ts'
import { judge } from './verdict.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => { for (const clean of cleanups.splice(0).reverse()) await clean() })

interface Link { readonly network: Network, readonly client: Socket, readonly server: Socket, readonly port: number }

/** 'a', this process, is connected to 'b' through a proxy. */
async function link (): Promise<Link> {
  const { promise, resolve } = Promise.withResolvers<Socket>()
  const server = createServer(resolve)
  const target = await freePort()
  server.listen(target, '127.0.0.1')
  cleanups.push(() => new Promise(done => { server.close(done) }))
  const network = new Network(() => new Map([['a', process.pid]]))
  cleanups.push(() => network.close())
  const port = await freePort()
  await network.listen('b', port, () => target)
  const client = connect(port, '127.0.0.1')
  client.on('error', () => {})
  const accepted = await promise
  accepted.on('error', () => {})
  return { network, client, server: accepted, port }
}

function received (socket: Socket): () => string {
  let text = ''
  socket.on('data', (chunk: Buffer) => { text += chunk.toString() })
  return () => text
}

describe('the network', () => {
  it('cuts one direction and keeps the other, loses and reorders nothing', async () => {
    const { network, client, server } = await link()
    const [atServer, atClient] = [received(server), received(client)]
    const heal = network.cut([['a', 'b']])
    client.write('1 ')
    server.write('answer')
    await until('the other direction', 2_000, () => atClient() === 'answer')
    client.write('2 ')
    client.end('3')
    expect(atServer()).toBe('')
    heal()
    await until('everything', 2_000, () => atServer() === '1 2 3')
  })

  it('holds a new connection while either direction is cut', async () => {
    const { network, port } = await link()
    const heal = network.cut([['b', 'a']])
    const another = connect(port, '127.0.0.1')
    await once(another, 'connect')
    const text = received(another)
    another.write('x')
    expect(text()).toBe('')
    heal()
    another.destroy()
  })

  it('breaks what leads to a host that is down, and refuses it until it is up', async () => {
    const { network, client, port } = await link()
    const closed = new Promise(resolve => { client.once('close', resolve) })
    network.down('b')
    await closed
    const refused = connect(port, '127.0.0.1')
    refused.on('error', () => {})
    await new Promise(resolve => { refused.once('close', resolve) })
  })

  it('lets nobody through whom it does not know', async () => {
    const network = new Network(() => new Map())
    cleanups.push(() => network.close())
    const port = await freePort()
    await network.listen('b', port, () => port)
    const unknown = connect(port, '127.0.0.1')
    unknown.on('error', () => {})
    await new Promise(resolve => { unknown.once('close', resolve) })
  })
})

function sent (key: string, offset: number, startMs: number, endMs: number): SendOperation {
  return { kind: 'send', process: 'p', key, value: `${key}/${offset}`, startMs, endMs, outcome: 'ok', offset }
}

const round: Round = { name: 'kill', what: [], startedAtMs: 100, healedAtMs: 200, wholeAtMs: 300 }

describe('what is measured', () => {
  it('is the gap that touches the fault, of the slowest partition', () => {
    const history = [sent('t-0', 0, 0, 10), sent('t-0', 1, 11, 110), sent('t-0', 2, 210, 260),
      sent('t-1', 0, 0, 20), sent('t-1', 1, 90, 190), sent('t-1', 2, 205, 220), sent('t-1', 3, 400, 9_000)]
    expect(new Acknowledgements(history, ['t-0', 't-1']).measure(round))
      .toEqual({ gapMs: 8_780, gapMedianMs: 8_780, writesBackMs: 60, wholeMs: 100 })
  })

  it('is an anomaly when a partition takes no writes after healing', () => {
    const history: Operation[] = [sent('t-0', 0, 0, 10), sent('t-0', 1, 210, 20_000)]
    expect(judge(history, [round], ['t-0'], [], false).anomalies.map(({ kind }) => kind))
      .toEqual(['stuck write', 'stuck read'])
  })
})

describe('all pairs', () => {
  const pairsOf = (names: string): string[] => {
    const kinds = names.split(',').map(name => faultKinds.find(each => each.name === name)!)
    return allPairs(kinds).map(pair => pair.map(({ name }) => name).join(' + '))
  }

  it('are every two kinds once, and each with itself where there is more than one to strike', () => {
    expect(pairsOf('kill,pause,operator')).toEqual([
      'kill + kill', 'kill + pause', 'kill + operator', 'pause + pause', 'pause + operator'
    ])
  })

  it('lose at most one volume, and kill all brokers last', () => {
    expect(pairsOf('wipe,kill all,disk error'))
      .toEqual(['wipe + kill all', 'disk error + kill all'])
  })
})

describe('what deaths cost groups', () => {
  const assign = (process: string, startMs: number): Operation => ({
    kind: 'assign', process, group: 'g', positions: [{ key: 't-0', offset: undefined }], startMs, endMs: startMs,
    outcome: 'ok'
  })
  const poll = (process: string, first: number, last: number, startMs: number): Operation => ({
    kind: 'poll', process, group: 'g', startMs, endMs: startMs + 1, outcome: 'ok',
    records: [first, last].map(offset => ({ key: 't-0', offset, value: String(offset) }))
  })
  const commit = (process: string, offset: number, startMs: number, endMs: number): Operation => ({
    kind: 'commit', byMember: true, process, group: 'g', offsets: [{ key: 't-0', offset }], startMs, endMs,
    outcome: 'ok'
  })
  const death = (of: Death['of'], name: string, atMs: number): Death => ({ of, group: 'g', name, atMs })

  it('is told from the death to the next record, and to the next commit', () => {
    const history = [assign('a', 0), poll('a', 0, 9, 10), commit('a', 10, 20, 25), poll('a', 10, 14, 30),
      assign('b', 3_000), poll('b', 10, 20, 3_100), commit('b', 21, 3_200, 3_300)]
    const figures = groupFigures(history, [death('member', 'a', 100), death('coordinator', 'broker 1', 20)],
      checkGroups(history), ['t-0'])
    expect(figures).toEqual({ takeoverMs: [3_000], coordinatorMs: [3_280], repeats: [5], repeatedAgeMs: [69] })
  })

  it('is for ever where nobody went on', () => {
    const history = [assign('a', 0), poll('a', 0, 9, 10)]
    const { takeoverMs, coordinatorMs } = groupFigures(history, [death('member', 'a', 100),
      death('coordinator', 'broker 1', 20)], checkGroups(history), ['t-0'])
    expect([takeoverMs, coordinatorMs]).toEqual([[Infinity], [Infinity]])
  })

  it('is not told of what the member had given back', () => {
    const back: Operation = {
      kind: 'revoke', process: 'a', group: 'g', keys: ['t-0'], startMs: 50, endMs: 50, outcome: 'ok'
    }
    const history = [assign('a', 0), poll('a', 0, 9, 10), back]
    expect(groupFigures(history, [death('member', 'a', 100)], checkGroups(history), ['t-0']).takeoverMs).toEqual([])
  })

  it('is not told of partitions that get records only at times', () => {
    const history = [assign('a', 0), poll('a', 0, 9, 10)]
    expect(groupFigures(history, [death('member', 'a', 100)], checkGroups(history), ['t-1']).takeoverMs).toEqual([])
  })
})

describe('what deaths cost queue groups', () => {
  const given = (process: string, deliveries: number, startMs: number, endMs = Infinity): Operation => ({
    kind: 'delivery', process, group: 'jobs', key: 't-0', offset: 5, value: 'v', recordKey: '', deliveries, startMs,
    endMs, outcome: endMs === Infinity ? 'unknown' : 'ok',
    ...endMs !== Infinity && { settlement: 'acknowledged' as const, settledAtMs: endMs - 1 }
  })
  const death: Death = { of: 'member', group: 'jobs', name: 'w1', atMs: 100 }

  it('is told from the death to the next delivery of what the worker had not settled', () => {
    expect(redeliveryMs([given('w1', 1, 90), given('w2', 2, 3_200, 3_210)], [death])).toEqual([3_100])
    expect(redeliveryMs([given('w1', 1, 90, 95)], [death])).toEqual([])
    expect(redeliveryMs([given('w1', 1, 90)], [death])).toEqual([Infinity])
  })

  it('is an anomaly when a record is lost, or delivered when it was done', () => {
    const lost = judgeQueues([sent('t-0', 5, 0, 10), given('w1', 1, 90)], [death], ['t-0'], true)
    expect(new Set(lost.anomalies.map(({ kind }) => kind))).toEqual(new Set(['lost record']))
    const done = judgeQueues([given('w1', 1, 90, 95), given('w2', 2, 200)], [death], ['t-0'], false)
    expect(done.anomalies.map(({ kind, key }) => `${kind} ${key}`)).toEqual(['delivered when done jobs/t-0'])
  })
})

describe('histories', () => {
  it('may be missing: of who was killed before it had begun', () => {
    expect(readHistory(join(tmpdir(), 'nobody-has-this.jsonl'))).toEqual([])
  })

  it('keep what began and did not end as unknown', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'history-')), 'p1.jsonl')
    const file = new HistoryFile(path, 'p1')
    const first = file.begin([{ kind: 'send', key: 't-0', value: 'a' }, { kind: 'send', key: 't-0', value: 'b' }])
    file.end(first + 1, { outcome: 'ok', offset: 7 })
    expect(readHistory(path).map(operation => [operation.outcome, (operation as SendOperation).offset]))
      .toEqual([['unknown', undefined], ['ok', 7]])
  })
})

describe('the flags', () => {
  it('choose phases and kinds', () => {
    const names = (args: string[]): string[] => parseFaultOptions(args, faultKinds, 1).singles.map(({ name }) => name)
    expect(names(['--only', 'kill,one way'])).toEqual(['kill', 'one way'])
    expect(names(['--mix'])).toEqual([])
    expect(parseFaultOptions(['--mix', '--minutes', '2'], faultKinds, 1)).toMatchObject({ pairs: 0, mixMinutes: 2 })
    expect(parseFaultOptions(['--pairs'], faultKinds, 1)).toMatchObject({ pairs: 10, mixMinutes: 0 })
    expect(parseFaultOptions(['--pairs', 'all', '--part', '2/3'], faultKinds, 1))
      .toMatchObject({ pairs: Infinity, part: [2, 3] })
    expect(() => names(['--part', '3/2'])).toThrow(/--part must be as 1\/2/)
    expect(() => names(['--only', 'flood'])).toThrow(/there is no fault 'flood' in this workload/)
    expect(names(['--only', 'kill,one way', '--times', '2'])).toEqual(['kill', 'kill', 'one way', 'one way'])
    const soak = parseFaultOptions(['--workload', 'groups', '--minutes', '10'], faultKinds, 1)
    expect(soak).toMatchObject({ pairs: 0, mixMinutes: 10 })
    expect(soak.singles.every(({ ofGroups }) => ofGroups === true)).toBe(true)
    expect(parseFaultOptions(['--workload', 'queues'], faultKinds, 1).singles).toEqual(soak.singles)
    expect(soak.drawn.map(({ name }) => name)).toEqual(expect.arrayContaining(['kill', 'member kill', 'one way']))
    expect(names([])).not.toContain('member kill')
    expect(() => names(['--only', 'member kill'])).toThrow(/no fault 'member kill' in this/)
    expect(() => parseFaultOptions(['--workload', 'tables'], faultKinds, 1)).toThrow(/records, groups or queues/)
    expect(() => parseFaultOptions(['--brokers', '2'], faultKinds, 1)).toThrow(/from 3 to 5/)
  })
})

it('of a failed run is told: warnings, and what is no line of a log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evidence-'))
  mkdirSync(join(folder, 'logs'))
  const lines = ['{"level":30,"msg":"calm"}', '{"level":40,"msg":"a complaint"}', 'TypeError: a crash']
  writeFileSync(join(folder, 'logs/events-0.log'), lines.map(line => `2026-01-01T00:00:00.000Z ${line}\n`).join(''))
  writeFileSync(join(folder, 'ends.log'), '2026-01-01T00:00:00.000Z events-0 (pid 7) ended: SIGKILL\n')
  expect(evidence(folder).split('\n').map(line => line.replace(/^\S+Z /, '')))
    .toEqual(['--- ends.log', 'events-0 (pid 7) ended: SIGKILL', '--- logs/events-0.log',
      '{"level":40,"msg":"a complaint"}', 'TypeError: a crash'])
})
