// Who is given which of the free records of a partition: pure.
import type { QueueSettings } from '../../wire/messages.ts'
import { queueBurialsMax } from '../limits.ts'
import { chooseFree } from './queue-choice.ts'
import type { QueueLane } from './queue-lane.ts'
import type { MemberOfQueue } from './queue-members.ts'
import type { QueueWindow } from './queue-window.ts'

export interface PlannedTake {
  readonly member: MemberOfQueue
  readonly records: readonly number[]
  readonly isBurial: boolean
}

/** @param members that read the topic, whoever has least first */
export function planTakes (lane: QueueLane, window: QueueWindow, settings: QueueSettings,
  members: readonly MemberOfQueue[], now: number): PlannedTake[] {
  const [first] = members
  if (first === undefined || window.entries.size === window.inFlight) return []
  const room = members.reduce((sum, member) => sum + member.room, 0)
  const { records, burials } = chooseFree(window, {
    byKey: settings.order === 'QUEUE_ORDER_KEY',
    deliveriesMax: settings.maxDeliveries,
    hasDeadLetters: settings.deadLetterTopic !== '',
    isDue: offset => lane.isDue(offset, now)
  }, room, queueBurialsMax)
  const takes = shared(records, members)
  if (burials.length > 0) takes.push({ member: first, records: burials, isBurial: true })
  return takes
}

/** Neighbours stay together, since a batch of bytes is read whole; everybody gets about as many. */
function shared (records: readonly number[], members: readonly MemberOfQueue[]): PlannedTake[] {
  const takes: PlannedTake[] = []
  let given = 0
  let takers = members.filter(({ room }) => room > 0).map(member => ({ member, room: member.room }))
  while (given < records.length && takers.length > 0) {
    for (const [index, taker] of takers.entries()) {
      const share = Math.ceil((records.length - given) / (takers.length - index))
      const count = Math.min(share, taker.room)
      if (count > 0) takes.push({ member: taker.member, records: records.slice(given, given + count), isBurial: false })
      taker.room -= count
      given += count
    }
    takers = takers.filter(({ room }) => room > 0)
  }
  return takes
}
