// CommitOffsets and GetCommittedOffsets: straight to the coordinator of the group.
import type { Services } from '../../wire/ports.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import { answer } from './answer.ts'

export function groupServices (coordinator: GroupCoordinator): Services {
  return {
    unary: {
      CommitOffsets: ({ group, offsets }) =>
        answer(async () => ({ offsets: await coordinator.commit(group, offsets) })),
      GetCommittedOffsets: ({ group, offsets }) =>
        answer(() => ({ offsets: coordinator.committed(group, offsets) }))
    }
  }
}
