import { expect, test } from 'vitest'
import { Link } from '../../../broker/session/link.ts'
import type { LinkEnd } from '../../../broker/session/link.ts'
import type { Self } from '../../../broker/session/contract.ts'
import { WireError } from '../../../wire/errors.ts'
import type {
  Sent, SessionRequest, SessionRequest_LearnerProgress, SessionResponse, SessionResponse_Push
} from '../../../wire/messages.ts'
import type { Net, StreamHandlers } from '../../../wire/ports.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { row, topicId } from '../controller/make.ts'

const self: Self = {
  clusterName: 'events', clusterUid: 'c', brokerId: 1, volumeId: 'aaaaaaaaaaaaaaa1', brokerEpoch: 3,
  incarnation: 'ccccccccccccccc1',
  boots: [{ brokerEpoch: 3, incarnation: 'ccccccccccccccc1' }],
  clientAddress: 'b1:9090', peerAddress: 'b1:9091', rack: 'r', listeners: []
}

function simulate () {
  const scheduler = new Scheduler(new SimRng(1))
  const process = scheduler.process('b1')
  const sent: Sent<SessionRequest>[] = []
  const pushes: SessionResponse_Push[] = []
  const ends: [LinkEnd, string | undefined][] = []
  let handlers: StreamHandlers<SessionResponse> | undefined
  const net = {
    open: (_address: string, _method: string, given: StreamHandlers<SessionResponse>) => {
      handlers = given
      return {
        send: (message: Sent<SessionRequest>) => sent.push(message) > 0,
        end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {}
      }
    }
  } as unknown as Net
  const learners: SessionRequest_LearnerProgress[] = []
  const volume = { controllerEpoch: 4, fsyncAgeMs: () => 12.6, full: false, lowMs: () => 0 }
  const link = new Link({
    clock: process.clock,
    net,
    self,
    volume,
    replicas: {
      reports: () => [], ends: () => [], apply: () => {}, starved: () => [{ topicId, partition: 2 }],
      unreachable: () => [7],
      learnerProgress: () => learners
    },
    address: 'b0:9091',
    relay: false,
    registered: () => {},
    push: push => { pushes.push(push) },
    mayStop: () => {},
    ended: (end, error) => { ends.push([end, error?.code]) }
  })
  const receive = (message: Partial<SessionResponse>): void => { handlers?.message(message as SessionResponse) }
  const pass = async (ms: number): Promise<void> => { await scheduler.run(scheduler.now + ms) }
  return {
    link, sent, learners, volume,
    pushes, ends, receive, pass, close: (error?: WireError) => { handlers?.close(error) }, process
  }
}

const push: SessionResponse_Push = {
  controllerEpoch: 4, full: true, brokers: [], topics: [], rows: [], topicsRemoved: [], remove: [], more: false
}

test('a full disk counts as one that hangs, from when it was full', async () => {
  const { sent, receive, pass, volume } = simulate()
  const age = async (full: boolean): Promise<number> => {
    volume.full = full
    receive({ heartbeatAck: { sequence: 1 } })
    await pass(500)
    return sent.at(-1)!.heartbeat!.fsyncAgeMs!
  }
  expect([await age(true), await age(true), await age(false), await age(true)]).toEqual([201, 602, 13, 201])
})

test('registers, beats every 200 ms, says how it fares', async () => {
  const { sent, receive, pass } = simulate()
  expect(sent[0]?.register)
    .toMatchObject({ clusterUid: 'c', controllerEpochSeen: 4, broker: { brokerId: 1, brokerEpoch: 3, rack: 'r' } })
  expect(sent[1]?.heartbeat)
    .toEqual({
      sequence: 1, unreachable: [7], fsyncAgeMs: 13, starved: [{ topicId, partition: 2 }], diskLowMs: 0,
      diskFull: false, acknowledged: 0
    })
  for (let i = 0; i < 10; i++) {
    receive({ heartbeatAck: { sequence: i } })
    await pass(200)
  }
  const beats = sent.flatMap(({ heartbeat }) => heartbeat ?? [])
  expect(beats.length).toBeGreaterThanOrEqual(10)
  // What it has heard of, for the other side to know that it hears.
  expect(beats.at(-1)?.acknowledged).toBe(9)
})

test('parts of a push are one push', () => {
  const { pushes, receive } = simulate()
  receive({ push: { ...push, rows: [row()], more: true } })
  receive({ push: { ...push, rows: [row({ partition: 1 })], more: true } })
  expect(pushes).toEqual([])
  receive({ push: { ...push, rows: [row({ partition: 2 })] } })
  receive({ push: { ...push, full: false, rows: [row({ partition: 3 })] } })
  expect(pushes.map(one => [one.full, one.rows.map(({ partition }) => partition)]))
    .toEqual([[true, [0, 1, 2]], [false, [3]]])
})

test('nobody there: silent after 600 ms; silent after 2 s when somebody was', async () => {
  const first = simulate()
  await first.pass(900)
  expect(first.ends).toEqual([['silent', undefined]])
  const second = simulate()
  second.receive({ heartbeatAck: { sequence: 1 } })
  await second.pass(1_900)
  expect(second.ends).toEqual([])
  await second.pass(400)
  expect(second.ends).toEqual([['silent', undefined]])
})

test('who goes on talking, but has not answered for a second, is silent when the connection breaks', async () => {
  const { ends, receive, pass, close, link } = simulate()
  receive({ registered: { error: undefined, controllerEpoch: 4, controller: 0 } })
  receive({ heartbeatAck: { sequence: 1 } })
  await pass(300)
  receive({ push: { ...push, full: false } })
  // The second heartbeat was the first without an answer.
  const { reachedAt } = link
  for (let i = 0; i < 12; i++) {
    receive({ push: { ...push, full: false } })
    await pass(100)
  }
  expect(link.reachedAt).toBe(reachedAt)
  expect(link.heardAt - reachedAt).toBeGreaterThan(1_000)
  close(new WireError('UNAVAILABLE'))
  expect(ends).toEqual([['silent', 'UNAVAILABLE']])
})

test('a pause of this process is not taken for silence of the other', async () => {
  const { ends, receive, pass, close, process } = simulate()
  receive({ registered: { error: undefined, controllerEpoch: 4, controller: 0 } })
  receive({ heartbeatAck: { sequence: 1 } })
  process.pause()
  await pass(10_000)
  process.resume()
  await pass(300)
  expect(ends).toEqual([])
  close(new WireError('UNAVAILABLE'))
  expect(ends).toEqual([['broken', 'UNAVAILABLE']])
})

test.each([
  ['refused', new WireError('CONNECTION_REFUSED'), undefined],
  ['broken', new WireError('UNAVAILABLE'), undefined],
  ['broken', undefined, undefined],
  ['resigned', undefined, 'NOT_CONTROLLER'],
  ['rejected', undefined, 'DUPLICATE_BROKER']
] as const)('ends %s', (end, error, refusal) => {
  const { ends, receive, close, link } = simulate()
  if (refusal !== undefined) {
    const error = new WireError(refusal).toDetail() as never
    receive({ registered: { error, controllerEpoch: 4, controller: 0 } })
  }
  close(error)
  close(error)
  link.drop()
  expect(ends).toEqual([[end, refusal ?? error?.code]])
})

test('an answer to a change is given once, to whom it belongs; none when the session has ended', () => {
  const { link, sent, receive, close } = simulate()
  const answers: string[] = []
  const request = { topicId, partition: 0, leaderEpoch: 5, version: 9, inSync: [], added: [] }
  link.changeInSync(request, () => { answers.push('a') })
  link.changeInSync(request, (error, known) => { answers.push(`b ${error?.code} ${known?.version}`) })
  const [a, b] = sent.flatMap(message => message.changeInSync?.requestId ?? [])
  receive({ changeInSyncResult: { requestId: b!, error: new WireError('STALE_ROW').toDetail() as never, row: row() } })
  receive({ changeInSyncResult: { requestId: b!, error: undefined, row: row() } })
  expect(answers).toEqual(['b STALE_ROW 9'])
  close()
  receive({ changeInSyncResult: { requestId: a!, error: undefined, row: row() } })
  expect(answers).toEqual(['b STALE_ROW 9'])
})

test('how far learners are: once a second, while there are any and the broker is registered', async () => {
  const { sent, learners, receive, pass } = simulate()
  const told = (): number => sent.filter(message => message.progress !== undefined).length
  learners.push({ topicId, partition: 2, leaderEpoch: 3, brokerId: 5, bytesLeft: 100, recordsLeft: 1 })
  receive({})
  await pass(1_500)
  expect(told()).toBe(0)
  receive({ registered: { error: undefined, controllerEpoch: 4, controller: 0 } })
  await pass(1_500)
  expect(told()).toBe(2)
  learners.pop()
  receive({})
  await pass(1_500)
  expect(told()).toBe(2)
})
