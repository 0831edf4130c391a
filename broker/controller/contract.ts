// What the node and rpc/ know of the controller. Implemented by controller.ts; exists in a broker only
// while that broker holds the office.
import type {
  ApplyTopicRequest, ApplyTopicResponse, DeleteTopicRequest, DeleteTopicResponse, DescribeClusterRequest,
  DescribeClusterResponse, DrainBrokersRequest, DrainBrokersResponse, ElectLeadersRequest, ElectLeadersResponse,
  MaintainBrokersRequest, MaintainBrokersResponse, MovePartitionsRequest, MovePartitionsResponse, PlanBrokersRequest,
  PlanBrokersResponse, RecoverPartitionRequest, RecoverPartitionResponse, RemoveBrokerRequest, RemoveBrokerResponse,
  RestoreTablesRequest, RestoreTablesResponse, Sent, SessionRequest, SessionResponse
} from '../../wire/messages.ts'
import type { Stream, StreamHandlers } from '../../wire/ports.ts'
import type { Census } from './describe.ts'

/** What a person asks for when the rules cannot go on by themselves. */
export interface RepairOffice {
  /** Rejects with RECOVERY_REFUSED, which says what is missing, and with other WireErrors. */
  recoverPartition (request: RecoverPartitionRequest): Promise<Sent<RecoverPartitionResponse>>
  restoreTables (request: RestoreTablesRequest): Promise<Sent<RestoreTablesResponse>>
}

/** Where partitions are, and who leads them. All reject with WireError. */
export interface MoveOffice {
  movePartitions (request: MovePartitionsRequest): Promise<Sent<MovePartitionsResponse>>
  electLeaders (request: ElectLeadersRequest): Promise<Sent<ElectLeadersResponse>>
  drainBrokers (request: DrainBrokersRequest): Promise<Sent<DrainBrokersResponse>>
  planBrokers (request: PlanBrokersRequest): Promise<Sent<PlanBrokersResponse>>
  maintainBrokers (request: MaintainBrokersRequest): Promise<Sent<MaintainBrokersResponse>>
  removeBroker (request: RemoveBrokerRequest): Promise<Sent<RemoveBrokerResponse>>
}

export interface ControllerOffice {
  readonly controllerEpoch: number
  readonly moving: MoveOffice
  readonly repairs: RepairOffice
  /** A broker's session stream. */
  session (stream: Stream<SessionResponse>): StreamHandlers<SessionRequest>
  applyTopic (request: ApplyTopicRequest): Promise<Sent<ApplyTopicResponse>>
  deleteTopic (request: DeleteTopicRequest): Promise<Sent<DeleteTopicResponse>>
  describeCluster (request: DescribeClusterRequest): Promise<Sent<DescribeClusterResponse>>
  /** For metrics. */
  census (): Census
}
