// Groups as people see them.
import type { CommittedOffset, DescribeGroupResponse, GroupSummary, QueueState, Sent } from '../../wire/messages.ts'
import type { GroupDesk } from './desk.ts'
import { toHeld } from './held.ts'
import { assignorOf } from './planning.ts'
import type { GroupOffset } from './records.ts'
import { placeOf } from './records.ts'
import { isDead } from './queue-choice.ts'
import type { QueueDesk } from './queue-desk.ts'
import type { Group } from './group.ts'

function stateOf (group: Group, desk: GroupDesk | undefined): string {
  if (group.members.size === 0) return 'empty'
  const target = desk?.target ?? new Map<string, string>()
  const settled = target.size === group.owners.size && [...target].every(([name, id]) => group.owners.get(name) === id)
  return settled ? 'stable' : 'moving'
}

/** Its members share records; without members: it has windows from when they did. */
export function isQueue (group: Group): boolean {
  for (const { queue } of group.members.values()) return queue !== undefined
  return group.windows.size > 0
}

export function summarize (group: Group, desk: GroupDesk | undefined): Sent<GroupSummary> {
  return {
    group: group.name, state: stateOf(group, desk), members: group.members.size, offsets: group.offsets.size,
    queue: isQueue(group)
  }
}

export function describe (group: Group, desk: GroupDesk | undefined, queue: QueueDesk | undefined,
  topicName: (topicId: string) => string): Sent<DescribeGroupResponse> {
  return {
    group: group.name,
    state: stateOf(group, desk),
    epoch: group.epoch,
    assignor: assignorOf(group.members.values()),
    offsets: [...group.offsets.values()].map(toCommitted),
    members: [...group.members.values()].map(({ id, instanceId, rack, client, epoch, topics, held }) => ({
      memberId: id,
      instanceId,
      rack,
      client,
      epoch,
      topics,
      held: toHeld(held, topicName),
      releasing: toHeld([...held].filter(([name]) => desk !== undefined && desk.target.get(name) !== id), topicName),
      connected: desk?.isConnected(id) === true,
      inFlight: group.inFlight.get(id) ?? 0
    })),
    queue: queue?.settings,
    queues: queueStates(group, queue)
  }
}

export function queueStates (group: Group, queue: QueueDesk | undefined): QueueState[] {
  const { maxDeliveries = 0, deadLetterTopic = '' } = queue?.settings ?? {}
  const rules = { deliveriesMax: maxDeliveries, hasDeadLetters: deadLetterTopic !== '' }
  return [...group.windows].map(([name, window]): QueueState => ({
    topic: window.topic,
    ...placeOf(name),
    start: window.start,
    end: window.end,
    unfinished: window.entries.size,
    inFlight: window.inFlight,
    dead: [...window.entries.values()].filter(entry => entry.isBurial || isDead(entry, rules)).length,
    ...window.totals,
    deadLetterError: queue?.stuck(name) ?? ''
  }))
}

/** As it goes over the wire. */
export function toCommitted (entry: GroupOffset): CommittedOffset {
  const { topic, topicId, partition, offset, leaderEpoch, metadata, committedAt } = entry
  return { topic, topicId, partition, offset, leaderEpoch, metadata, committedAt }
}
