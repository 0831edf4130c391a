// CommitOffsets and GetCommittedOffsets: straight to the coordinator of the group.
import { WireError } from '../../wire/errors.ts'
import type {
  CommitOffsetsRequest, CommitOffsetsResponse, GetCommittedOffsetsRequest, GetCommittedOffsetsResponse, Sent
} from '../../wire/messages.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'

export function commitOffsets (coordinator: GroupCoordinator) {
  return async (request: CommitOffsetsRequest): Promise<Sent<CommitOffsetsResponse>> => {
    try {
      return { offsets: await coordinator.commit(request.group, request.offsets) }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return { error: error.toDetail() }
    }
  }
}

export function getCommittedOffsets (coordinator: GroupCoordinator) {
  return async (request: GetCommittedOffsetsRequest): Promise<Sent<GetCommittedOffsetsResponse>> => {
    try {
      return { offsets: coordinator.committed(request.group, request.offsets) }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return { error: error.toDetail() }
    }
  }
}
