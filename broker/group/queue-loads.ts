// Queue groups for metrics, by group and topic.
import type { QueueState } from '../../wire/messages.ts'
import { isQueue, queueStates } from './describe.ts'
import type { Group } from './group.ts'
import type { QueueDesk } from './queue-desk.ts'
import { nameOf } from './records.ts'

export interface QueueLoad {
  readonly group: string
  readonly topic: string
  /** That read the topic. */
  readonly members: number
  inFlight: number
  delivered: number
  redelivered: number
  returned: number
  acknowledged: number
  rejected: number
  deadLettered: number
  /** To be written to the dead-letter topic, and not there yet. */
  dead: number
  /** For how long the first record that is not finished has been the first, of the partition with the longest. */
  oldestSeconds: number
}

const counted =
  ['inFlight', 'delivered', 'redelivered', 'returned', 'acknowledged', 'rejected', 'deadLettered', 'dead'] as const

/**
 * @param desks each group with what its members are told by, while it has any
 * @param at ms since 1970
 */
export function queueLoads (desks: Iterable<readonly [Group, QueueDesk | undefined]>, at: number,
  seriesMax: number): QueueLoad[] {
  const loads: QueueLoad[] = []
  for (const [group, desk] of desks) {
    if (!isQueue(group)) continue
    const topics = new Map<string, QueueLoad>()
    for (const state of queueStates(group, desk)) add(topics, group, state, at)
    loads.push(...topics.values())
    if (loads.length >= seriesMax) break
  }
  return loads.slice(0, seriesMax)
}

function add (topics: Map<string, QueueLoad>, group: Group, state: QueueState, at: number): void {
  const { topic, topicId, partition, unfinished } = state
  let load = topics.get(topic)
  if (load === undefined) {
    let members = 0
    for (const member of group.members.values()) if (member.topics.includes(topic)) members++
    load = {
      group: group.name, topic, members, inFlight: 0, delivered: 0, redelivered: 0, returned: 0, acknowledged: 0,
      rejected: 0, deadLettered: 0, dead: 0, oldestSeconds: 0
    }
    topics.set(topic, load)
  }
  const { committedAt = at } = group.offsets.get(nameOf(topicId, partition)) ?? {}
  // The clock of who wrote it may have been ahead.
  if (unfinished > 0) load.oldestSeconds = Math.max(load.oldestSeconds, (at - committedAt) / 1000)
  for (const of of counted) load[of] += state[of]
}
