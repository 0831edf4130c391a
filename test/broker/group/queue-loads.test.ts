import { expect, it } from 'vitest'
import type { QueueStep, StepKind } from '../../../broker/group/queue-records.ts'
import { queueLoads } from '../../../broker/group/queue-loads.ts'
import type { Group } from '../../../broker/group/group.ts'
import type { Member } from '../../../broker/group/records.ts'
import { GroupsState } from '../../../broker/group/state.ts'

const group = 'audit'
const queue = {
  order: 'QUEUE_ORDER_UNSPECIFIED', maxDeliveries: 3, deadLetterTopic: 'dead', leaseMs: 3_000,
  start: 'QUEUE_START_UNSPECIFIED'
} as const

function member (id: string, topics: readonly string[], isWorker = true): Member {
  return {
    id, instanceId: '', rack: '', client: '', topics, assignor: 'GROUP_ASSIGNOR_UNSPECIFIED', sessionTimeoutMs: 10_000,
    instanceGraceMs: 0, releaseTimeoutMs: 10_000, epoch: 1, held: new Map(),
    queue: isWorker ? queue : undefined
  }
}

/** A log of which every record comes a second after the one before it. */
class Log {
  readonly state = new GroupsState()
  #offset = 0

  get at (): number { return this.#offset * 1000 }
  get group (): Group { return this.state.get(group)! }

  change (members: readonly Member[], gone: readonly string[] = []): void {
    const { changedAt = -1, epoch = 0 } = this.state.get(group) ?? {}
    const change = { group, after: changedAt, epoch: epoch + 1, members, gone, emptyAt: 0, deleted: false }
    this.state.apply({ kind: 'change', change }, this.#offset++)
  }

  step (kind: StepKind, partition = 0): number {
    const rest: Omit<QueueStep, keyof StepKind> = { group, topic: 't', topicId: 't', partition, at: this.at }
    this.state.apply({ kind: 'queue', step: { ...kind, ...rest } as QueueStep }, this.#offset)
    return this.#offset++
  }

  find (after: number, from: number, end: number, partition = 0): void {
    const records = Array.from({ length: end - from }, (_, index) => from + index)
    this.step({ step: 'found', after, found: { from, end, records, keys: [] } }, partition)
  }

  take (records: readonly number[]): number {
    return this.step({ step: 'take', take: { member: 'a', records, isBurial: false } })
  }

  acknowledge (lease: number, records: readonly number[]): void {
    this.step({ step: 'settle', settle: { member: 'a', lease, records, outcome: 'acknowledged', reason: '' } })
  }

  load () {
    return queueLoads([[this.group, undefined]], this.at, 10)[0]
  }
}

it('tells for how long the first record that is not finished has been the first', () => {
  const log = new Log()
  log.change([member('a', ['t'])])
  log.find(-1, 0, 3)
  const lease = log.take([0, 1, 2])
  expect(log.load()).toMatchObject({ oldestSeconds: 2, inFlight: 3, members: 1 })
  log.acknowledge(lease, [1])
  expect(log.load()?.oldestSeconds).toBe(3)
  log.acknowledge(lease, [0])
  expect(log.load()?.oldestSeconds).toBe(1)
  log.acknowledge(lease, [2])
  expect(log.load()?.oldestSeconds).toBe(0)
  // A quiet time is nobody's fault.
  log.find(7, 7, 8, 1)
  log.find(3, 3, 4)
  expect(log.load()?.oldestSeconds).toBe(1)
})

it('counts who reads the topic, and says nothing of other groups', () => {
  const log = new Log()
  log.change([member('a', ['t']), member('b', ['t', 'u']), member('c', ['u'])])
  log.find(-1, 0, 1)
  expect(log.load()?.members).toBe(2)
  log.change([], ['a', 'b', 'c'])
  expect(log.load()?.members).toBe(0)
  log.change([member('d', ['t'], false)])
  expect(log.load()).toBeUndefined()
})
