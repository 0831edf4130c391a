// Groups as people see them.
import type { CommittedOffset, DescribeGroupResponse, GroupSummary, Sent } from '../../wire/messages.ts'
import type { GroupDesk } from './desk.ts'
import { toHeld } from './held.ts'
import { assignorOf } from './planning.ts'
import type { GroupOffset } from './records.ts'
import type { Group } from './state.ts'

function stateOf (group: Group, desk: GroupDesk | undefined): string {
  if (group.members.size === 0) return 'empty'
  const target = desk?.target ?? new Map<string, string>()
  const settled = target.size === group.owners.size && [...target].every(([name, id]) => group.owners.get(name) === id)
  return settled ? 'stable' : 'moving'
}

export function summarize (group: Group, desk: GroupDesk | undefined): Sent<GroupSummary> {
  return {
    group: group.name, state: stateOf(group, desk), members: group.members.size, offsets: group.offsets.size
  }
}

export function describe (group: Group, desk: GroupDesk | undefined,
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
      connected: desk?.isConnected(id) === true
    }))
  }
}

/** As it goes over the wire. */
export function toCommitted (entry: GroupOffset): CommittedOffset {
  const { topic, topicId, partition, offset, leaderEpoch, metadata, committedAt } = entry
  return { topic, topicId, partition, offset, leaderEpoch, metadata, committedAt }
}
