// What the desk of a queue group says in the log, when what it said before did not get there.
import { beforeEach, describe, expect, it } from 'vitest'
import type { QueueStream } from '../../../broker/group/queue-members.ts'
import { QueueDesk } from '../../../broker/group/queue-desk.ts'
import type { StepDone } from '../../../broker/group/queue-lane.ts'
import type { QueueStep } from '../../../broker/group/queue-records.ts'
import type { Member } from '../../../broker/group/records.ts'
import { GroupsState } from '../../../broker/group/state.ts'
import { WireError } from '../../../wire/errors.ts'
import type { QueueRequest, QueueResponse, Sent } from '../../../wire/messages.ts'
import { FakeClock } from '../../client/fake-clock.ts'

const group = 'audit'
const member: Member = {
  id: 'a', instanceId: '', rack: '', client: '', topics: ['t'], assignor: 'GROUP_ASSIGNOR_UNSPECIFIED',
  sessionTimeoutMs: 10_000, instanceGraceMs: 0, releaseTimeoutMs: 10_000, epoch: 1, held: new Map(),
  queue: {
    order: 'QUEUE_ORDER_UNSPECIFIED', maxDeliveries: 3, deadLetterTopic: 'dead', leaseMs: 3_000,
    start: 'QUEUE_START_UNSPECIFIED'
  }
}

let clock: FakeClock
let state: GroupsState
let desk: QueueDesk
let sent: Sent<QueueResponse>[]
let waiting: { readonly steps: readonly QueueStep[], readonly done: readonly StepDone[] }[]
let offset: number

const stream: QueueStream = { queue: message => { sent.push(message) } }

beforeEach(() => {
  clock = new FakeClock()
  state = new GroupsState()
  sent = []
  waiting = []
  offset = 1
  state.apply({
    kind: 'change', change: { group, after: -1, epoch: 1, members: [member], gone: [], emptyAt: 0, deleted: false }
  }, 0)
  desk = new QueueDesk({
    clock,
    topicOf: () => ({ topicId: 't', partitions: 1, racksOf: () => [] }),
    topicName: () => 't',
    group: name => state.get(name),
    append: (steps, done) => { waiting.push({ steps, done }) }
  }, group)
})

function say (request: Partial<QueueRequest>): void {
  desk.request('a', stream, request as QueueRequest)
}

function found (scan: number, from: number): void {
  say({ found: { scan, topicId: 't', partition: 0, from, end: from + 1, records: [from, from + 1], keys: [] } })
}

/** What was to be appended is in the log. */
function land (): void {
  const { steps, done } = waiting.shift()!
  for (const [index, step] of steps.entries()) {
    const verdict = state.apply({ kind: 'queue', step }, offset)
    desk.applied(step, offset++)
    done[index]!(undefined, verdict)
  }
}

function fail (): void {
  for (const done of waiting.shift()!.done) done(new WireError('NOT_ENOUGH_REPLICAS'), 'ok')
}

const scans = (): number[] => sent.flatMap(({ scan }) => scan === undefined ? [] : [scan.from!])

describe('what was found and did not get into the log', () => {
  it('is looked for again, though nothing comes behind it', async () => {
    say({ credit: { records: 8 } })
    found(1, 0)
    land()
    found(2, 1)
    expect(scans()).toEqual([-1, 1, 2])
    fail()
    await clock.advance(1_000)
    expect(sent.flatMap(({ halt }) => halt?.scan ?? [])).toEqual([3])
    expect(scans()).toEqual([-1, 1, 2, 1])
    found(4, 1)
    while (waiting.length > 0) land()
    expect([...state.get(group)!.windows.get('t/0')!.entries.keys()]).toEqual([0, 1])
  })
})

describe('a partition that nothing is known of', () => {
  it('begins where it was looked at first, though what was found there got lost', async () => {
    say({ credit: { records: 8 } })
    expect(scans()).toEqual([-1])
    found(1, 0)
    expect(scans()).toEqual([-1, 1])
    fail()
    found(2, 1)
    await clock.advance(1_000)
    // Nobody may take the second record for the first one: nobody would ever get the first.
    while (waiting.length > 0) land()
    expect(state.get(group)?.windows.get('t/0')?.entries.size ?? 0).toBe(0)
    expect(scans().at(-1)).toBe(-1)
    found(sent.findLast(({ scan }) => scan !== undefined)!.scan!.scan!, 0)
    while (waiting.length > 0) land()
    expect([...state.get(group)!.windows.get('t/0')!.entries.keys()]).toEqual([0])
  })
})

describe('a lease that is over', () => {
  it('is told to its member when that is in the log, not before', async () => {
    say({ credit: { records: 8 } })
    found(1, 0)
    land()
    const lapsed = (): number => sent.filter(each => each.lapsed !== undefined).length
    const over = async (): Promise<void> => {
      while (waiting.length === 0) {
        await clock.advance(1_000)
        desk.tick(0)
      }
    }
    await over()
    fail()
    await clock.advance(1_000)
    expect(lapsed()).toBe(0)
    await over()
    land()
    expect(lapsed()).toBe(1)
  })
})
