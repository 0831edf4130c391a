// ListGroups, DescribeGroup, DeleteGroup, and the members' streams.
import type { Services } from '../../wire/ports.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import { answer } from './answer.ts'
import { GroupSession } from './group-session.ts'

export function groupServices (coordinator: GroupCoordinator): Services {
  return {
    streams: { GroupSession: (stream, { peer }) => new GroupSession(coordinator, stream, peer) },
    unary: {
      ListGroups: () => answer(() => ({ groups: coordinator.list() })),
      DescribeGroup: ({ group }) => answer(() => coordinator.describe(group)),
      DeleteGroup: ({ group }) => answer(async () => {
        await coordinator.delete(group)
        return {}
      })
    }
  }
}
