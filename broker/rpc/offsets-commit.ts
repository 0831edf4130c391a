// CommitOffsets and GetCommittedOffsets: straight to the coordinator of the group.
import { WireError } from '../../wire/errors.ts'
import type { Services } from '../../wire/ports.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'

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

/** A WireError becomes the answer's error field. */
async function answer<R> (ask: () => R | Promise<R>): Promise<R | { error: ReturnType<WireError['toDetail']> }> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof WireError) return { error: error.toDetail() }
    throw error
  }
}
