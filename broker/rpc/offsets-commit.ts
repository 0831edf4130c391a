// CommitOffsets and GetCommittedOffsets: straight to the coordinator of the group.
import type { Services } from '../../wire/ports.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import { answer } from './answer.ts'

export function groupOffsetsServices (coordinator: GroupCoordinator): Services {
  return {
    unary: {
      CommitOffsets: ({ group, offsets, ...by }) =>
        answer(async () => ({ offsets: await coordinator.commit(group, offsets, by) })),
      GetCommittedOffsets: ({ group, offsets, ...by }) =>
        answer(() => ({ offsets: coordinator.committed(group, offsets, { ...by, sequence: 0 }) }))
    }
  }
}
