import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batches } from '../../../wire/record-batch.ts'
import { chooseFree, chooseFound } from '../../../broker/group/queue-choice.ts'
import type { QueueStep, StepKind } from '../../../broker/group/queue-records.ts'
import type { Outcome } from '../../../broker/group/queue-window.ts'
import { QueueWindow } from '../../../broker/group/queue-window.ts'
import type { GroupRecord, Member } from '../../../broker/group/records.ts'
import { decode, encode } from '../../../broker/group/records.ts'
import { GroupsState } from '../../../broker/group/state.ts'
import { fromRanges, toRanges } from '../../../wire/ranges.ts'

const group = 'audit'
const settings = {
  order: 'QUEUE_ORDER_UNSPECIFIED', maxDeliveries: 3, deadLetterTopic: 'dead', leaseMs: 3_000,
  start: 'QUEUE_START_UNSPECIFIED'
} as const

function member (id: string): Member {
  return {
    id, instanceId: '', rack: '', client: '', topics: ['t'], assignor: 'GROUP_ASSIGNOR_UNSPECIFIED',
    sessionTimeoutMs: 10_000, instanceGraceMs: 0, releaseTimeoutMs: 10_000, queue: settings, epoch: 1, held: new Map()
  }
}

/** A log of steps, and what they make. */
class Log {
  readonly state = new GroupsState()
  readonly records: GroupRecord[] = []

  apply (record: GroupRecord): string {
    this.records.push(record)
    return this.state.apply(record, this.records.length - 1)
  }

  change (members: readonly string[], gone: readonly string[] = []): string {
    const { changedAt = -1, epoch = 0 } = this.state.get(group) ?? {}
    return this.apply({
      kind: 'change',
      change: {
        group, after: changedAt, epoch: epoch + 1, members: members.map(member), gone, emptyAt: 0, deleted: false
      }
    })
  }

  step (kind: StepKind): string {
    const rest: Omit<QueueStep, keyof StepKind> = { group, topic: 't', topicId: 't', partition: 0, at: 1 }
    return this.apply({ kind: 'queue', step: { ...kind, ...rest } as QueueStep })
  }

  get last (): number { return this.records.length - 1 }
  get window (): QueueWindow { return this.state.get(group)!.windows.get('t/0')! }
  get start (): number { return this.state.get(group)!.offsets.get('t/0')!.offset }

  find (from: number, records: readonly number[], after = from): string {
    return this.step({ step: 'found', after, found: { from, end: records.at(-1)! + 1, records, keys: [] } })
  }

  take (id: string, records: readonly number[]): number {
    this.step({ step: 'take', take: { member: id, records, isBurial: false } })
    return this.last
  }

  settle (id: string, lease: number, records: readonly number[], outcome: Outcome): string {
    return this.step({ step: 'settle', settle: { member: id, lease, records, outcome, reason: 'because' } })
  }
}

function twoMembers (): Log {
  const log = new Log()
  log.change(['a', 'b'])
  log.find(10, [10, 11, 12, 13], -1)
  return log
}

describe('the log of a queue', () => {
  it('begins where the partition begins for the group, and moves behind the last unfinished record', () => {
    const log = twoMembers()
    expect(log.start).toBe(10)
    const lease = log.take('a', [10, 11, 12])
    expect(log.settle('a', lease, [11, 12], 'acknowledged')).toBe('ok')
    expect(log.start).toBe(10)
    expect(log.settle('a', lease, [10], 'acknowledged')).toBe('ok')
    expect(log.start).toBe(13)
  })

  it('does not count what was found by another before', () => {
    const log = twoMembers()
    expect(log.find(10, [10, 11], -1)).toBe('stale')
    expect(log.find(13, [13])).toBe('stale')
    expect(log.find(14, [15, 20])).toBe('ok')
    expect(log.window.end).toBe(21)
    expect([...log.window.entries.keys()]).toEqual([10, 11, 12, 13, 15, 20])
  })

  it('has one holder of each record, and takes settlements of nobody else', () => {
    const log = twoMembers()
    const first = log.take('a', [10, 11])
    const second = log.take('b', [11, 12])
    expect(log.window.entries.get(11)).toMatchObject({ holder: 'a', lease: first, deliveries: 1 })
    expect(log.settle('b', second, [11], 'acknowledged')).toBe('LEASE_LOST')
    expect(log.settle('b', second, [12], 'acknowledged')).toBe('ok')
    expect(log.settle('a', second, [10], 'acknowledged')).toBe('LEASE_LOST')
  })

  it('refuses what comes after the end of a lease, and gives the record to another', () => {
    const log = twoMembers()
    const lease = log.take('a', [10, 11])
    log.step({ step: 'lapse', lease })
    expect(log.settle('a', lease, [10], 'acknowledged')).toBe('LEASE_LOST')
    const next = log.take('b', [10])
    expect(log.window.entries.get(10)).toMatchObject({ holder: 'b', lease: next, deliveries: 2 })
    expect(log.settle('a', lease, [10], 'acknowledged')).toBe('LEASE_LOST')
  })

  it('frees what a member has that goes, and gives nothing to one that is gone', () => {
    const log = twoMembers()
    log.take('a', [10, 11])
    log.change([], ['a'])
    expect(log.window.inFlight).toBe(0)
    expect(log.window.entries.get(10)).toMatchObject({ holder: '', deliveries: 1, reason: 'its member went away' })
    log.take('a', [12])
    expect(log.window.inFlight).toBe(0)
  })

  it('says the same to who settles again', () => {
    const log = twoMembers()
    const lease = log.take('a', [10])
    expect(log.settle('a', lease, [10], 'acknowledged')).toBe('ok')
    expect(log.settle('a', lease, [10], 'acknowledged')).toBe('ok')
    expect(log.window.totals.acknowledged).toBe(1)
  })

  it('does not count a delivery that nobody has seen', () => {
    const log = twoMembers()
    log.settle('a', log.take('a', [10]), [10], 'returned')
    expect(log.window.entries.get(10)?.deliveries).toBe(0)
    // Counters never go back: what reads them would take that for a new beginning.
    expect(log.window.totals).toMatchObject({ delivered: 1, redelivered: 0, returned: 1 })
    log.settle('a', log.take('a', [10]), [10], 'released')
    expect(log.window.entries.get(10)?.deliveries).toBe(1)
  })

  it('ends where a person commits another offset', () => {
    const log = twoMembers()
    log.change([], ['a', 'b'])
    const offset = {
      group, topic: 't', topicId: 't', partition: 0, offset: 12, leaderEpoch: -1, metadata: '', committedAt: 1,
      member: '', epoch: 0, sequence: 0
    }
    expect(log.apply({ kind: 'offset', offset })).toBe('ok')
    expect(log.state.get(group)?.windows.size).toBe(0)
    expect(log.start).toBe(12)
  })
})

describe('what may be given out', () => {
  const rules = { byKey: false, deliveriesMax: 2, hasDeadLetters: true, isDue: () => true }
  const window = (keys: readonly number[]): QueueWindow => {
    const made = new QueueWindow('t', 0)
    made.found({ from: 0, end: keys.length, records: keys.map((_, index) => index), keys })
    return made
  }

  it('is the first of each key, and what has none', () => {
    const keyed = window([1, 1, 2, 0, 2, 0, -1, 3, 0])
    expect(chooseFree(keyed, { ...rules, byKey: true }, 10, 10).records).toEqual([0, 2, 3, 5])
    expect(chooseFree(keyed, rules, 3, 10).records).toEqual([0, 1, 2])
    expect(chooseFound(keyed, { from: 9, end: 12, records: [9, 10, 11], keys: [1, 4, 0] }, true, 10)).toEqual([])
    expect(chooseFound(window([1]), { from: 1, end: 5, records: [1, 2, 3, 4], keys: [1, 4, 4, 0] }, true, 10))
      .toEqual([2, 4])
  })

  it('is the dead-letter topic\'s when it was delivered too often, or rejected', () => {
    const made = window([1, 2])
    for (let time = 0; time < 2; time++) {
      made.take({ member: 'a', records: [0], isBurial: false }, time)
      made.settle({ member: 'a', lease: time, records: [0], outcome: 'released', reason: '' })
    }
    expect(chooseFree(made, rules, 10, 10)).toEqual({ records: [1], burials: [0] })
    expect(chooseFree(made, { ...rules, hasDeadLetters: false }, 10, 10).records).toEqual([0, 1])
    made.take({ member: 'a', records: [1], isBurial: false }, 7)
    made.settle({ member: 'a', lease: 7, records: [1], outcome: 'doomed', reason: 'bad' })
    expect(chooseFree(made, rules, 10, 10)).toEqual({ records: [], burials: [0, 1] })
  })
})

describe('ranges', () => {
  it('are what they were made of', () => {
    expect(toRanges([1, 2, 3, 7])).toEqual([1, 4, 7, 8])
    fc.assert(fc.property(fc.uniqueArray(fc.nat(100)), offsets => {
      const ascending = offsets.sort((a, b) => a - b)
      expect(fromRanges(toRanges(ascending), 200)).toEqual(ascending)
    }))
  })

  it('are refused when they go back, or are too many', () => {
    for (const bad of [[3, 3], [5, 4], [4, 6, 5, 9], [1], [-1, 2], [0, 300], [0.5, 2]]) {
      expect(fromRanges(bad, 200)).toBeUndefined()
    }
  })
})

// Anything that members, coordinators and time may do, in any order.
type Action =
  | { readonly kind: 'find', readonly count: number, readonly gap: number }
  | { readonly kind: 'take', readonly who: number, readonly count: number, readonly first: number }
  | { readonly kind: 'settle', readonly lease: number, readonly outcome: Outcome, readonly count: number }
  | { readonly kind: 'lapse', readonly lease: number }
  | { readonly kind: 'leave' | 'join', readonly who: number }
  | { readonly kind: 'reload' }

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('find' as const), count: fc.integer({ min: 1, max: 8 }), gap: fc.nat(2) }),
  fc.record({
    kind: fc.constant('take' as const), who: fc.nat(2), count: fc.integer({ min: 1, max: 6 }), first: fc.nat(9)
  }),
  fc.record({
    kind: fc.constant('settle' as const), lease: fc.nat(20), count: fc.integer({ min: 1, max: 6 }),
    outcome: fc.constantFrom<Outcome>(
      'acknowledged', 'released', 'returned', 'rejected', 'doomed', 'deadLettered', 'gone')
  }),
  fc.record({ kind: fc.constant('lapse' as const), lease: fc.nat(20) }),
  fc.record({ kind: fc.constantFrom('leave' as const, 'join' as const), who: fc.nat(2) }),
  fc.record({ kind: fc.constant('reload' as const) }))

const ids = ['a', 'b', 'c']
const ends: ReadonlySet<Outcome> = new Set<Outcome>(['acknowledged', 'rejected', 'deadLettered', 'gone'])

/** The log with a model beside it that knows nothing of windows. */
class Model {
  readonly log = new Log()
  readonly leases: { readonly id: number, readonly who: string, readonly records: number[] }[] = []
  readonly seen: number[] = []
  readonly finished = new Set<number>()
  readonly holder = new Map<number, number>()
  readonly deliveries = new Map<number, number>()
  end = 0

  constructor () {
    this.log.change(ids)
    this.log.find(0, [0], -1)
    this.seen.push(0)
    this.end = 1
  }

  run (act: Action): void {
    const { log } = this
    switch (act.kind) {
      case 'find': {
        const records = Array.from({ length: act.count }, (_, index) => this.end + act.gap + index)
        expect(log.find(this.end, records)).toBe('ok')
        this.seen.push(...records)
        this.end = records.at(-1)! + 1
        return
      }
      case 'take': {
        const open = this.seen.filter(offset => !this.finished.has(offset))
        const records = open.slice(act.first, act.first + act.count)
        const who = ids[act.who]!
        const id = log.take(who, records)
        const isMember = log.state.get(group)?.members.has(who) === true
        const got = isMember ? records.filter(offset => !this.holder.has(offset)) : []
        for (const offset of got) {
          this.holder.set(offset, id)
          this.deliveries.set(offset, (this.deliveries.get(offset) ?? 0) + 1)
        }
        this.leases.push({ id, who, records: got })
        return
      }
      case 'settle': this.#settle(act.lease, act.count, act.outcome); return
      case 'lapse': {
        const lease = this.leases[act.lease]
        if (lease === undefined) return
        log.step({ step: 'lapse', lease: lease.id })
        this.#free(lease.id)
        return
      }
      case 'leave': {
        log.change([], [ids[act.who]!])
        for (const { id, who } of this.leases) if (who === ids[act.who]) this.#free(id)
        return
      }
      case 'join': log.change([ids[act.who]!]); return
      case 'reload': this.#reload()
    }
  }

  #settle (index: number, count: number, outcome: Outcome): void {
    const lease = this.leases[index]
    const records = lease?.records.slice(0, count) ?? []
    if (lease === undefined || records.length === 0) return
    const mine = records.filter(offset => this.holder.get(offset) === lease.id)
    const all = records.every(offset => this.finished.has(offset) || mine.includes(offset))
    expect(this.log.settle(lease.who, lease.id, records, outcome)).toBe(all ? 'ok' : 'LEASE_LOST')
    for (const offset of mine) {
      this.holder.delete(offset)
      if (ends.has(outcome)) this.finished.add(offset)
      if (outcome === 'returned') this.deliveries.set(offset, this.deliveries.get(offset)! - 1)
    }
  }

  #free (lease: number): void {
    for (const [offset, holder] of this.holder) if (holder === lease) this.holder.delete(offset)
  }

  /** Another coordinator reads the log, from a snapshot that went through bytes. */
  #reload (): void {
    const { log } = this
    const records = [...log.state.snapshot()]
    const read = encode(records, 1).flatMap(bytes => [...batches(bytes)].flatMap(header => decode(bytes, header)))
    log.state.clear()
    log.state.restore(read.flatMap(({ record }) => record === undefined ? [] : [record]))
  }

  check (): void {
    const { window, start, state } = this.log
    const open = this.seen.filter(offset => !this.finished.has(offset))
    // No record is lost: each that is not finished is there, free or with the one member that has it.
    expect([...window.entries.keys()]).toEqual(open)
    expect(start).toBe(open[0] ?? this.end)
    for (const [offset, entry] of window.entries) {
      const lease = this.leases.find(({ id }) => id === this.holder.get(offset))
      expect([offset, entry.holder, entry.deliveries])
        .toEqual([offset, lease?.who ?? '', this.deliveries.get(offset) ?? 0])
    }
    expect(window.inFlight).toBe(this.holder.size)
    expect([...state.get(group)!.inFlight.values()].reduce((a, b) => a + b, 0)).toBe(this.holder.size)
    const rules = { byKey: false, deliveriesMax: 3, hasDeadLetters: true, isDue: () => true }
    const choice = chooseFree(window, rules, 1e9, 1e9)
    expect([...choice.records, ...choice.burials].sort((a, b) => a - b))
      .toEqual(open.filter(offset => !this.holder.has(offset)))
  }
}

describe('whatever happens', () => {
  it('no record is lost, none that is finished comes back, each has one holder, and deliveries are counted', () => {
    fc.assert(fc.property(fc.array(action, { maxLength: 60 }), actions => {
      const model = new Model()
      for (const act of actions) {
        model.run(act)
        model.check()
      }
    }), { numRuns: 300 })
  })

  it('every step is read as it was written', () => {
    const model = new Model()
    for (const act of fc.sample(action, { numRuns: 200, seed: 5 })) model.run(act)
    const written = model.log.records
    const read = encode(written, 1).flatMap(bytes => [...batches(bytes)].flatMap(header => decode(bytes, header)))
    expect(read.map(({ record }) => record)).toEqual(written)
  })
})
