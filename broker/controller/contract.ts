// What the node and rpc/ know of the controller. Implemented by controller.ts; exists in a broker only
// while that broker holds the office.
import type {
  ApplyTopicRequest, ApplyTopicResponse, DeleteTopicRequest, DeleteTopicResponse, DescribeClusterRequest,
  DescribeClusterResponse, Sent, SessionRequest, SessionResponse
} from '../../wire/messages.ts'
import type { Stream, StreamHandlers } from '../../wire/ports.ts'

export interface ControllerOffice {
  readonly controllerEpoch: number
  /** A broker's session stream. */
  session (stream: Stream<SessionResponse>): StreamHandlers<SessionRequest>
  applyTopic (request: ApplyTopicRequest): Promise<Sent<ApplyTopicResponse>>
  deleteTopic (request: DeleteTopicRequest): Promise<Sent<DeleteTopicResponse>>
  describeCluster (request: DescribeClusterRequest): Promise<Sent<DescribeClusterResponse>>
}
