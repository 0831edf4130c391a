import { describe, expect, test } from 'vitest'
import { BrokerSession } from '../../../broker/controller/broker-session.ts'
import { Roster } from '../../../broker/controller/roster.ts'
import type { BrokerInfo, ReplicaReport } from '../../../wire/messages.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { broker, id, row, topicId } from './make.ts'

function simulate (known: BrokerInfo[] = [broker(0), broker(1), broker(2)]) {
  const scheduler = new Scheduler(new SimRng(1))
  const { clock } = scheduler.process('b0')
  const registry = new Map(known.map(one => [one.brokerId, one]))
  const roster = new Roster(clock, () => registry)
  const stream = { send: () => true, end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {} }
  const join = (info: BrokerInfo, reports: Partial<ReplicaReport>[] = []): BrokerSession => {
    const nothing = { brokers: [], topics: [], rows: [], topicsRemoved: [] }
    const session = new BrokerSession(stream, { epoch: 1, brokerId: 0 }, clock.now(), () => nothing)
    const replicas = reports.map(changes => ({
      topicId, partition: 0, topic: 't', replicaGen: 0, row: undefined, logStart: 0, durableEnd: 0, highWatermark: 0,
      lastEpoch: -1, leaderEpochSeen: 0, damaged: '', removed: false, ...changes
    }))
    session.join({ clusterUid: '', broker: info, controllerEpochSeen: 0, replicas, relay: false, boots: [] }, info)
    roster.admit(session)
    if (roster.isCurrent(session)) session.registered(clock.now())
    return session
  }
  return { roster, join, registry, pass: async (ms: number) => { await scheduler.run(scheduler.now + ms) }, clock }
}

describe('a member of a set', () => {
  test('lives by a session with exactly its identity', () => {
    const { roster, join } = simulate()
    join(broker(1), [{ replicaGen: 5 }])
    expect(roster.member(topicId, 0, id(1, 5))).toBe('live')
    expect(roster.member(topicId, 0, id(1, 0))).toBe('dead')
    expect(roster.member(topicId, 0, id(1, 5, 'bbbbbbbbbbbbbbbb'))).toBe('dead')
  })

  test('of a wiped volume is dead, whatever the new one holds', () => {
    const { roster, join } = simulate()
    join(broker(1, { volumeId: 'bbbbbbbbbbbbbbbb' }))
    expect(roster.member(topicId, 0, id(1))).toBe('dead')
    expect(roster.member(topicId, 0, id(1, 0, 'bbbbbbbbbbbbbbbb'))).toBe('live')
  })

  test('that was made with its partition lives before it is reported; one of a later generation does not', () => {
    const { roster, join } = simulate()
    join(broker(1))
    expect(roster.member(topicId, 0, id(1, 0))).toBe('live')
    expect(roster.member(topicId, 0, id(1, 9))).toBe('dead')
  })

  test('is dead when damaged, stopping when its broker is, missing until its broker is given up', () => {
    const { roster, join } = simulate()
    join(broker(1), [{ damaged: 'rotten' }])
    expect(roster.member(topicId, 0, id(1))).toBe('dead')
    join(broker(2)).stopping = true
    expect(roster.member(topicId, 0, id(2))).toBe('stopping')
    roster.miss(0, 0)
    expect(roster.member(topicId, 0, id(0))).toBe('missing')
    expect(roster.member(topicId, 0, id(0, 0, 'bbbbbbbbbbbbbbbb'))).toBe('dead')
    roster.bury(0)
    expect(roster.member(topicId, 0, id(0))).toBe('dead')
  })
})

describe('a leader', () => {
  test('stands by its registered incarnation, or while its fate is unknown', () => {
    const { roster, join } = simulate()
    roster.miss(0, 0)
    expect(roster.leadership(row())).toBe('stands')
    join(broker(0))
    expect(roster.leadership(row())).toBe('stands')
  })

  test('is lost when it is given up, nobody, out of the set, or dead in it', () => {
    const { roster, join } = simulate()
    roster.miss(0, 0)
    roster.bury(0)
    expect(roster.leadership(row())).toBe('lost')
    expect(roster.leadership(row({ leader: -1 }))).toBe('lost')
    join(broker(1), [{ damaged: 'rotten' }])
    expect(roster.leadership(row({ leader: 1 }))).toBe('lost')
    expect(roster.leadership(row({ leader: 1, inSync: [id(0), id(2)] }))).toBe('lost')
  })

  test('is lost by a new incarnation, and by having been fenced, until it is elected anew', () => {
    const { roster, join } = simulate([broker(0, { fenced: true }), broker(1)])
    const fenced = join(broker(0))
    expect(roster.leadership(row())).toBe('lost')
    fenced.elected.set(`${topicId}-0`, 5)
    expect(roster.leadership(row())).toBe('stands')
    expect(roster.leadership(row({ leaderEpoch: 6 }))).toBe('lost')
    join(broker(1, { incarnation: 'dddddddddddddddd', brokerEpoch: 4 }))
    expect(roster.leadership(row({ leader: 1 }))).toBe('lost')
  })

  test('is to leave when it stops, its fsync hangs, or it lacks followers; not twice in 30 s', async () => {
    const { roster, join, pass } = simulate()
    const session = join(broker(0))
    session.fsyncAgeMs = 2_001
    expect(roster.leadership(row())).toBe('leaving')
    session.fsyncAgeMs = 0
    session.starved = new Set([`${topicId}-0`])
    expect(roster.leadership(row())).toBe('leaving')
    expect(roster.leadership(row({ partition: 1 }))).toBe('stands')
    roster.moved(`${topicId}-0`)
    expect(roster.leadership(row())).toBe('stands')
    await pass(31_000)
    expect(roster.leadership(row())).toBe('leaving')
    session.starved = new Set()
    session.stopping = true
    expect(roster.leadership(row())).toBe('leaving')
  })

  test('fits when it reaches enough members and its disk answers', () => {
    const { roster, join } = simulate()
    const [a, b, c] = [join(broker(0)), join(broker(1)), join(broker(2))]
    expect(roster.isFit(row(), 0)).toBe(true)
    a.unreachable = new Map([[1, 0]])
    expect(roster.isFit(row(), 0)).toBe(true)
    c.unreachable = new Map([[0, 0]])
    expect(roster.isFit(row(), 0)).toBe(false)
    expect(roster.isFit(row(), 1)).toBe(true)
    b.fsyncAgeMs = 3_000
    expect(roster.isFit(row(), 1)).toBe(false)
  })
})

test('a broker that one member cannot follow, or that cannot follow it, reaches fewer than all', () => {
  const { roster, join, clock } = simulate()
  const [one] = [join(broker(0)), join(broker(1))]
  const beat = {
    sequence: 1, unreachable: [1], fsyncAgeMs: 0, starved: [], diskLowMs: 0, diskFull: false, acknowledged: 0
  }
  expect(roster.reachesAll(row(), 0)).toBe(true)
  one.heartbeat(beat, clock.now())
  expect(roster.reachesAll(row(), 0)).toBe(false)
  expect(roster.reachesAll(row(), 1)).toBe(false)
  // Broker 2 does not live: nothing waits for it.
  expect(roster.reachesAll(row(), 2)).toBe(true)
})

describe('a broker is cut off from a leader', () => {
  const beat = (unreachable: number[]) =>
    ({ sequence: 1, unreachable, fsyncAgeMs: 0, starved: [], diskLowMs: 0, diskFull: false, acknowledged: 0 })

  test('when it has not reached it for half a second, and the leader is heard of here', async () => {
    const { roster, join, pass, clock } = simulate()
    const [leader, other] = [join(broker(0)), join(broker(1))]
    other.heartbeat(beat([0]), clock.now())
    await pass(400)
    expect(roster.isCutOff(1, 0)).toBe(false)
    await pass(700)
    // Silent here as well: it is about to be fenced, and the set is better left whole for its election.
    expect(roster.isCutOff(1, 0)).toBe(false)
    leader.heardAt = clock.now()
    expect(roster.isCutOff(1, 0)).toBe(true)
    expect(roster.isCutOff(0, 1)).toBe(false)
    other.heartbeat(beat([]), clock.now())
    expect(roster.isCutOff(1, 0)).toBe(false)
  })

  test('not when the leader has only just come back', async () => {
    const { roster, join, pass, clock } = simulate()
    join(broker(1)).heartbeat(beat([0]), clock.now())
    await pass(2_000)
    join(broker(0))
    await pass(400)
    expect(roster.isCutOff(1, 0)).toBe(false)
  })

  test('not when this process stood still meanwhile', async () => {
    const { roster, join, pass, clock } = simulate()
    const [leader, other] = [join(broker(0)), join(broker(1))]
    other.heartbeat(beat([0]), clock.now())
    await pass(2_000)
    roster.forgive(1_800)
    leader.heardAt = clock.now()
    expect(roster.isCutOff(1, 0)).toBe(false)
  })
})

test('a broker stalls when its disk has taken nothing for two seconds, until it says otherwise', () => {
  const { roster, join, clock } = simulate()
  const beat = { sequence: 1, unreachable: [], starved: [], diskLowMs: 0, diskFull: false, acknowledged: 0 }
  const session = join(broker(1))
  const stalled = [2_000, 2_001, 0].map(fsyncAgeMs => {
    session.heartbeat({ ...beat, fsyncAgeMs }, clock.now())
    return roster.isStalled(1)
  })
  expect(stalled).toEqual([false, true, false])
  expect(roster.isStalled(2)).toBe(false)
})

test('a broker whose session ended is missed from when it last heard of here', async () => {
  const { roster, join, pass, clock } = simulate()
  const beat = { unreachable: [], fsyncAgeMs: 0, starved: [], diskLowMs: 0, diskFull: false, acknowledged: 1 }
  const session = join(broker(1))
  const heardOfHere = clock.now()
  for (const sequence of [2, 3, 4]) {
    session.heartbeat({ ...beat, sequence }, clock.now())
    session.heardAt = clock.now()
    await pass(500)
  }
  roster.dismiss(session)
  expect(roster.silentMs(1)).toBe(clock.now() - heardOfHere)
})

describe('a broker id', () => {
  const other = broker(1, { volumeId: 'bbbbbbbbbbbbbbbb', incarnation: 'dddddddddddddddd' })

  test('belongs to its volume while that has a session, may come back, and for 3 s after', async () => {
    const { roster, join, pass } = simulate()
    const session = join(broker(1))
    expect(roster.refuse(other)?.code).toBe('DUPLICATE_BROKER')
    roster.dismiss(session)
    expect(roster.refuse(other)?.code).toBe('DUPLICATE_BROKER')
    roster.bury(1)
    expect(roster.refuse(other)?.code).toBe('DUPLICATE_BROKER')
    await pass(3_100)
    expect(roster.refuse(other)).toBeUndefined()
    // After a takeover nobody knows yet whether the registered one lives.
    const next = simulate()
    next.roster.miss(1, next.clock.now())
    expect(next.roster.refuse(other)?.code).toBe('DUPLICATE_BROKER')
  })

  test('goes to the newest opening of its volume; older copies are refused', () => {
    const { roster, join } = simulate()
    expect(roster.refuse(broker(7))).toBeUndefined()
    expect(roster.refuse(broker(1))).toBeUndefined()
    expect(roster.refuse(broker(1, { incarnation: 'dddddddddddddddd', brokerEpoch: 4 }))).toBeUndefined()
    const older = broker(1, { incarnation: 'dddddddddddddddd', brokerEpoch: 2 })
    expect(roster.refuse({ ...older, brokerEpoch: 3 })?.code).toBe('VOLUME_ROLLED_BACK')
    expect(roster.refuse(older)?.code).toBe('VOLUME_ROLLED_BACK')
    // Opened twice since it was put back: its count is higher, but it knows nothing of the opening that registered.
    const fork = { ...older, brokerEpoch: 4 }
    const boots = [4, 3, 2].map(brokerEpoch => ({ brokerEpoch, incarnation: 'dddddddddddddddd' }))
    expect(roster.refuse(fork, boots)?.code).toBe('VOLUME_ROLLED_BACK')
    const [newest, ...others] = boots
    const same = [newest!, { brokerEpoch: 3, incarnation: broker(1).incarnation }, ...others.slice(1)]
    expect(roster.refuse(fork, same)).toBeUndefined()
    // The table is the older one: it was restored from a backup.
    expect(roster.refuse(fork, boots.slice(0, 1))).toBeUndefined()
    join(broker(1))
    expect(roster.refuse(older)?.code).toBe('DUPLICATE_BROKER')
    expect(roster.refuse(fork, boots)?.code).toBe('DUPLICATE_BROKER')
  })
})

test('a minority: fewer than half of the unfenced brokers are here', async () => {
  const { roster, join, pass, registry } = simulate()
  const sessions = [join(broker(0)), join(broker(1)), join(broker(2))]
  expect(roster.isMinority(false)).toBe(false)
  await pass(1_500)
  sessions[0]!.heardAt += 1_500
  expect(roster.isMinority(false)).toBe(false)
  expect(roster.isMinority(true)).toBe(true)
  roster.dismiss(sessions[1]!)
  roster.dismiss(sessions[2]!)
  expect(roster.isMinority(false)).toBe(true)
  registry.set(2, broker(2, { fenced: true }))
  expect(roster.isMinority(false)).toBe(false)
})
