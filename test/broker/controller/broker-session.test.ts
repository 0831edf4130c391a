import { describe, expect, test } from 'vitest'
import { BrokerSession } from '../../../broker/controller/broker-session.ts'
import { difference, everything, isNothing, parts } from '../../../broker/controller/push.ts'
import type { News } from '../../../broker/controller/push.ts'
import { rowsPerPushMax } from '../../../broker/limits.ts'
import type { ReplicaReport, Sent, SessionRequest_Register, SessionResponse } from '../../../wire/messages.ts'
import type { Stream } from '../../../wire/ports.ts'
import { broker, row, table, topic, topicId } from './make.ts'

function news (changes: Partial<News>): News {
  return { brokers: [], topics: [], rows: [], topicsRemoved: [], ...changes }
}

function report (changes: Partial<ReplicaReport> = {}): ReplicaReport {
  return {
    topicId, partition: 0, topic: 'orders', replicaGen: 0, row: undefined, logStart: 0, durableEnd: 0,
    highWatermark: 0, lastEpoch: -1,
    leaderEpochSeen: 0, damaged: '', removed: false, ...changes
  }
}

function session (all: News = news({ rows: [row()] })) {
  const sent: Sent<SessionResponse>[] = []
  const state = { willing: true }
  const stream: Stream<SessionResponse> = {
    send: message => {
      sent.push(message)
      return state.willing
    },
    end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {}
  }
  const one = new BrokerSession(stream, { epoch: 7, brokerId: 2 }, 0, () => all)
  const register: SessionRequest_Register = {
    clusterUid: 'c', broker: broker(1), controllerEpochSeen: 0, replicas: [report()], relay: false,
    boots: []
  }
  one.join(register, broker(1, { fenced: true, stopping: true }))
  return { one, sent, state }
}

describe('a session', () => {
  test('registers unfenced, whatever the broker says of itself', () => {
    const { one, sent } = session()
    expect(one.info).toMatchObject({ brokerId: 1, fenced: false, stopping: false })
    expect(one.push(news({ rows: [row()] }))).toBe(true)
    expect(sent).toEqual([])
    one.registered(5)
    one.pushEverything()
    expect(sent[0]).toEqual({ registered: { controllerEpoch: 7, controller: 2 } })
    expect(sent[1]?.push).toMatchObject({ controllerEpoch: 7, full: true, more: false, rows: [row()] })
  })

  test('of a slow broker: news are left out, everything comes when it can take it', () => {
    const { one, sent, state } = session()
    one.registered(5)
    state.willing = false
    one.push(news({ rows: [row({ version: 10 })] }))
    const before = sent.length
    for (let i = 0; i < 100; i++) expect(one.push(news({ rows: [row({ version: 11 + i })] }))).toBe(false)
    expect(sent.length).toBe(before)
    state.willing = true
    one.drained()
    expect(sent.length).toBe(before + 1)
    expect(sent.at(-1)?.push?.full).toBe(true)
    one.push(news({ rows: [row({ version: 200 })] }))
    expect(sent.at(-1)?.push?.full).toBe(false)
  })

  test('that caught up without missing anything is not told everything again', () => {
    const { one, sent, state } = session()
    one.registered(5)
    state.willing = false
    one.push(news({ rows: [row()] }))
    state.willing = true
    one.drained()
    expect(sent.filter(message => message.push?.full === true)).toEqual([])
  })

  test('knows replicas by their last report; a removal of another generation is old news', () => {
    const { one } = session()
    one.report([report({ replicaGen: 5 })])
    one.report([report({ removed: true, replicaGen: 0 })])
    expect(one.replicas.size).toBe(1)
    one.report([report({ removed: true, replicaGen: 5 })])
    expect(one.replicas.size).toBe(0)
  })

  test('tells when its broker struggles, or cannot reach a leader', () => {
    const { one, sent } = session()
    const beat = {
      sequence: 4, unreachable: [], fsyncAgeMs: 0, starved: [], diskLowMs: 0, diskFull: false, acknowledged: 0
    }
    expect(one.heartbeat(beat, 100)).toBe(false)
    expect(sent.at(-1)).toEqual({ heartbeatAck: { sequence: 4 } })
    expect(one.heartbeat({ ...beat, fsyncAgeMs: 2_001 }, 200)).toBe(true)
    expect(one.heartbeat({ ...beat, starved: [{ topicId, partition: 0 }] }, 300)).toBe(true)
    expect(one.heartbeat({ ...beat, unreachable: [3] }, 400)).toBe(true)
    one.heartbeat({ ...beat, unreachable: [3, 4] }, 500)
    expect([...one.unreachable]).toEqual([[3, 400], [4, 500]])
    one.forgive(1_000)
    one.heartbeat({ ...beat, unreachable: [4] }, 1_700)
    expect([...one.unreachable]).toEqual([[4, 1_500]])
  })
})

describe('until when a broker and the controller heard each other', () => {
  const beat = (sequence: number, acknowledged: number) =>
    ({ sequence, unreachable: [], fsyncAgeMs: 0, starved: [], diskLowMs: 0, diskFull: false, acknowledged })

  function beaten (...beats: readonly [acknowledged: number, at: number][]): number {
    const { one } = session()
    for (const [index, [acknowledged, at]] of beats.entries()) {
      one.heardAt = at
      one.heartbeat(beat(index + 1, acknowledged), at)
    }
    return one.reachedAt
  }

  test('now, while it says that acknowledgements come', () => {
    expect(beaten([0, 200], [1, 400], [2, 600])).toBe(600)
  })

  test('when the first acknowledgement was sent that has not come', () => {
    expect(beaten([0, 200], [1, 400], [1, 600], [1, 800])).toBe(400)
    expect(beaten([0, 200], [1, 400], [1, 600], [1, 800], [4, 1_000])).toBe(1_000)
  })

  test('when it was heard last, if it never says so: then its version does not', () => {
    expect(beaten([0, 200], [0, 2_200])).toBe(2_200)
  })

  test('later by what the controller stood still', () => {
    const { one } = session()
    one.heartbeat(beat(1, 0), 200)
    one.heartbeat(beat(2, 1), 400)
    one.heardAt = 600
    one.forgive(1_000)
    expect(one.reachedAt).toBe(1_400)
  })
})

describe('a push', () => {
  const before = table({
    topics: new Map([[topicId, topic()]]), rows: new Map([[topicId, [row(), row({ partition: 1 })]]]),
    brokers: new Map([[0, broker(0)]])
  })

  test('is what a write changed', () => {
    const rows = [before.rows.get(topicId)![0]!, row({ partition: 1, version: 10 })]
    const after = { ...before, rows: new Map([[topicId, rows]]), brokers: new Map([[0, broker(0)], [1, broker(1)]]) }
    expect(difference(before, after)).toEqual(news({ rows: [rows[1]!], brokers: [broker(1)] }))
    expect(isNothing(difference(before, { ...before, writeId: 'other' }))).toBe(true)
  })

  test('tells of a topic that is being deleted as gone, once', () => {
    const deleting = { ...before, topics: new Map([[topicId, topic({ deleting: true })]]) }
    expect(difference(before, deleting)).toEqual(news({ topicsRemoved: [topicId] }))
    const without = { ...before, topics: new Map(), rows: new Map() }
    expect(isNothing(difference(deleting, without))).toBe(true)
    expect(everything([deleting])).toEqual(news({ brokers: [broker(0)] }))
  })

  test('does not tell brokers who owns a topic', () => {
    const { ownerUid: _ownerUid, ...info } = topic()
    expect(everything([before]).topics).toEqual([info])
  })

  test('in parts: the last one says so, nothing is lost or doubled', () => {
    const rows = Array.from({ length: 2 * rowsPerPushMax + 1 }, (_, partition) => row({ partition }))
    const cut = parts(news({ rows, brokers: [broker(0)], topics: [topic()], topicsRemoved: ['x'] }),
      { controllerEpoch: 1, full: true })
    expect(cut.map(part => part.more)).toEqual([true, true, false])
    expect(cut.flatMap(part => part.rows ?? [])).toEqual(rows)
    expect(cut.flatMap(part => part.brokers ?? [])).toEqual([broker(0)])
    expect(cut.flatMap(part => part.topicsRemoved ?? [])).toEqual(['x'])
  })
})
