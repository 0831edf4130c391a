// Written by scripts/generate-descriptors.ts from proto/millrace/v1; do not edit.
import { Codec } from './codec.ts'
import type * as M from '../messages.ts'

export interface Rpc<K extends keyof M.Methods> {
  readonly path: string
  readonly stream: boolean
  readonly request: Codec<M.Methods[K]['request']>
  readonly response: Codec<M.Methods[K]['response']>
}

function rpc<K extends keyof M.Methods> (path: string, stream: boolean,
  request: Rpc<K>['request'], response: Rpc<K>['response']): Rpc<K> {
  return { path, stream, request, response }
}

const ApplyTopicRequest = new Codec<M.ApplyTopicRequest>({
  name: { number: 1, type: 'string' },
  partitions: { number: 2, type: 'int32' },
  replicas: { number: 3, type: 'int32' },
  minInSync: { number: 4, type: 'int32' },
  retentionMs: { number: 5, type: 'int64' },
  retentionBytes: { number: 6, type: 'int64' },
  segmentBytes: { number: 7, type: 'int64' },
  ownerUid: { number: 8, type: 'string' }
})

const ErrorDetail = new Codec<M.ErrorDetail>({
  code: { number: 1, type: 'string' },
  message: { number: 2, type: 'string' },
  leader: { number: 3, type: 'int32' },
  leaderEpoch: { number: 4, type: 'int64' },
  leaderAddress: { number: 5, type: 'string' },
  logStart: { number: 6, type: 'int64' },
  highWatermark: { number: 7, type: 'int64' },
  retryAfterMs: { number: 8, type: 'int32' },
  controllerAddress: { number: 9, type: 'string' }
})

const TopicInfo = new Codec<M.TopicInfo>({
  topicId: { number: 1, type: 'string' },
  name: { number: 2, type: 'string' },
  internal: { number: 3, type: 'bool' },
  partitions: { number: 4, type: 'int32' },
  replicas: { number: 5, type: 'int32' },
  minInSync: { number: 6, type: 'int32' },
  retentionMs: { number: 7, type: 'int64' },
  retentionBytes: { number: 8, type: 'int64' },
  segmentBytes: { number: 9, type: 'int64' },
  deleting: { number: 10, type: 'bool' },
  orphaned: { number: 11, type: 'bool' }
})

const TopicStatus = new Codec<M.TopicStatus>({
  topic: { number: 1, type: TopicInfo },
  orphaned: { number: 2, type: 'bool' },
  ownerUid: { number: 3, type: 'string' },
  underReplicated: { number: 4, type: 'int32' },
  underMinInSync: { number: 5, type: 'int32' },
  offline: { number: 6, type: 'int32' },
  replicasInSync: { number: 7, type: 'int32' },
  recovered: { number: 8, type: 'int32', repeated: true },
  moving: { number: 9, type: 'int32' }
})

const ApplyTopicResponse = new Codec<M.ApplyTopicResponse>({
  error: { number: 1, type: ErrorDetail },
  topic: { number: 2, type: TopicStatus }
})

const DeleteTopicRequest = new Codec<M.DeleteTopicRequest>({
  name: { number: 1, type: 'string' },
  topicId: { number: 2, type: 'string' },
  deleteData: { number: 3, type: 'bool' }
})

const DeleteTopicResponse = new Codec<M.DeleteTopicResponse>({
  error: { number: 1, type: ErrorDetail }
})

const DescribeClusterRequest = new Codec<M.DescribeClusterRequest>({
  topics: { number: 1, type: 'string', repeated: true }
})

const ListenerAddress = new Codec<M.ListenerAddress>({
  name: { number: 1, type: 'string' },
  address: { number: 2, type: 'string' }
})

const BrokerInfo = new Codec<M.BrokerInfo>({
  brokerId: { number: 1, type: 'int32' },
  volumeId: { number: 2, type: 'string' },
  brokerEpoch: { number: 3, type: 'int64' },
  incarnation: { number: 4, type: 'string' },
  fenced: { number: 5, type: 'bool' },
  stopping: { number: 6, type: 'bool' },
  clientAddress: { number: 7, type: 'string' },
  peerAddress: { number: 8, type: 'string' },
  rack: { number: 9, type: 'string' },
  draining: { number: 10, type: 'bool' },
  listeners: { number: 11, type: ListenerAddress, repeated: true },
  maintenance: { number: 12, type: 'bool' }
})

const PartitionMove = new Codec<M.PartitionMove>({
  topic: { number: 1, type: 'string' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  replicas: { number: 4, type: 'int32', repeated: true },
  adding: { number: 5, type: 'int32', repeated: true },
  removing: { number: 6, type: 'int32', repeated: true },
  bytesLeft: { number: 7, type: 'int64' },
  waitingFor: { number: 8, type: 'string' }
})

const BrokerDrain = new Codec<M.BrokerDrain>({
  brokerId: { number: 1, type: 'int32' },
  replicasLeft: { number: 2, type: 'int32' },
  dataLeft: { number: 3, type: 'int32' },
  waitingFor: { number: 4, type: 'string' }
})

const LowDisk = new Codec<M.LowDisk>({
  brokerId: { number: 1, type: 'int32' },
  full: { number: 2, type: 'bool' },
  lowMs: { number: 3, type: 'int64' }
})

const DescribeClusterResponse = new Codec<M.DescribeClusterResponse>({
  error: { number: 1, type: ErrorDetail },
  controller: { number: 2, type: 'int32' },
  controllerEpoch: { number: 3, type: 'int64' },
  brokers: { number: 4, type: BrokerInfo, repeated: true },
  topics: { number: 5, type: TopicStatus, repeated: true },
  partitions: { number: 6, type: 'int32' },
  underReplicated: { number: 7, type: 'int32' },
  underMinInSync: { number: 8, type: 'int32' },
  offline: { number: 9, type: 'int32' },
  moves: { number: 10, type: PartitionMove, repeated: true },
  drains: { number: 11, type: BrokerDrain, repeated: true },
  underReplicatedUnexpectedly: { number: 12, type: 'int32' },
  indispensable: { number: 13, type: 'int32', repeated: true },
  lowDisks: { number: 14, type: LowDisk, repeated: true }
})

const PartitionTarget = new Codec<M.PartitionTarget>({
  topic: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  replicas: { number: 3, type: 'int32', repeated: true }
})

const MovePartitionsRequest = new Codec<M.MovePartitionsRequest>({
  targets: { number: 1, type: PartitionTarget, repeated: true },
  dryRun: { number: 2, type: 'bool' }
})

const MovePartitionsResponse = new Codec<M.MovePartitionsResponse>({
  error: { number: 1, type: ErrorDetail },
  moves: { number: 2, type: PartitionMove, repeated: true }
})

const ElectLeadersRequest = new Codec<M.ElectLeadersRequest>({
  partitions: { number: 1, type: PartitionTarget, repeated: true },
  leader: { number: 2, type: 'int32' }
})

const ElectedLeader = new Codec<M.ElectedLeader>({
  topic: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  leader: { number: 3, type: 'int32' },
  leaderEpoch: { number: 4, type: 'int64' },
  error: { number: 5, type: ErrorDetail }
})

const ElectLeadersResponse = new Codec<M.ElectLeadersResponse>({
  error: { number: 1, type: ErrorDetail },
  elected: { number: 2, type: ElectedLeader, repeated: true }
})

const RecoverPartitionRequest = new Codec<M.RecoverPartitionRequest>({
  topic: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  lost: { number: 3, type: 'int32', repeated: true },
  survivor: { number: 4, type: 'int32' },
  acceptDataLoss: { number: 5, type: 'bool' },
  dryRun: { number: 6, type: 'bool' }
})

const ReplicaIdentity = new Codec<M.ReplicaIdentity>({
  brokerId: { number: 1, type: 'int32' },
  volumeId: { number: 2, type: 'string' },
  replicaGen: { number: 3, type: 'int64' }
})

const PartitionRow = new Codec<M.PartitionRow>({
  topicId: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  replicas: { number: 3, type: 'int32', repeated: true },
  leader: { number: 4, type: 'int32' },
  leaderEpoch: { number: 5, type: 'int64' },
  inSync: { number: 6, type: ReplicaIdentity, repeated: true },
  version: { number: 7, type: 'int64' },
  minInSync: { number: 8, type: 'int32' },
  adding: { number: 9, type: 'int32', repeated: true },
  removing: { number: 10, type: 'int32', repeated: true },
  barred: { number: 11, type: ReplicaIdentity, repeated: true }
})

const RecoverPartitionResponse = new Codec<M.RecoverPartitionResponse>({
  error: { number: 1, type: ErrorDetail },
  before: { number: 2, type: PartitionRow },
  after: { number: 3, type: PartitionRow },
  endOffset: { number: 4, type: 'int64' },
  highWatermarkSeen: { number: 5, type: 'int64' }
})

const DrainBrokersRequest = new Codec<M.DrainBrokersRequest>({
  brokerIds: { number: 1, type: 'int32', repeated: true }
})

const DrainBrokersResponse = new Codec<M.DrainBrokersResponse>({
  error: { number: 1, type: ErrorDetail },
  drains: { number: 2, type: BrokerDrain, repeated: true }
})

const PlanBrokersRequest = new Codec<M.PlanBrokersRequest>({
  brokerIds: { number: 1, type: 'int32', repeated: true }
})

const PlanBrokersResponse = new Codec<M.PlanBrokersResponse>({
  error: { number: 1, type: ErrorDetail },
  moves: { number: 2, type: PartitionMove, repeated: true },
  drains: { number: 3, type: BrokerDrain, repeated: true }
})

const MaintainBrokersRequest = new Codec<M.MaintainBrokersRequest>({
  brokerIds: { number: 1, type: 'int32', repeated: true }
})

const BrokerMaintenance = new Codec<M.BrokerMaintenance>({
  brokerId: { number: 1, type: 'int32' },
  leading: { number: 2, type: 'int32' }
})

const MaintainBrokersResponse = new Codec<M.MaintainBrokersResponse>({
  error: { number: 1, type: ErrorDetail },
  brokers: { number: 2, type: BrokerMaintenance, repeated: true }
})

const RemoveBrokerRequest = new Codec<M.RemoveBrokerRequest>({
  brokerId: { number: 1, type: 'int32' }
})

const RemoveBrokerResponse = new Codec<M.RemoveBrokerResponse>({
  error: { number: 1, type: ErrorDetail }
})

const RestoreTablesRequest = new Codec<M.RestoreTablesRequest>({
  dryRun: { number: 1, type: 'bool' },
  without: { number: 2, type: 'int32', repeated: true }
})

const TableRestore = new Codec<M.TableRestore>({
  table: { number: 1, type: 'string' },
  reason: { number: 2, type: 'string' },
  waitingFor: { number: 3, type: 'int32', repeated: true },
  rows: { number: 4, type: PartitionRow, repeated: true },
  undecided: { number: 5, type: 'string', repeated: true }
})

const RestoreTablesResponse = new Codec<M.RestoreTablesResponse>({
  error: { number: 1, type: ErrorDetail },
  tables: { number: 2, type: TableRestore, repeated: true }
})

const FetchRequest_Subscribe = new Codec<M.FetchRequest_Subscribe>({
  subscriptionId: { number: 1, type: 'uint32' },
  topic: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  topicId: { number: 4, type: 'string' },
  offset: { number: 5, type: 'int64' },
  leaderEpoch: { number: 6, type: 'int64' },
  creditBytes: { number: 7, type: 'int64' },
  fromFollower: { number: 8, type: 'bool' }
})

const FetchRequest_Credit = new Codec<M.FetchRequest_Credit>({
  subscriptionId: { number: 1, type: 'uint32' },
  bytes: { number: 2, type: 'int64' }
})

const FetchRequest_Unsubscribe = new Codec<M.FetchRequest_Unsubscribe>({
  subscriptionId: { number: 1, type: 'uint32' }
})

const FetchRequest = new Codec<M.FetchRequest>({
  subscribe: { number: 1, type: FetchRequest_Subscribe, oneof: 'request' },
  credit: { number: 2, type: FetchRequest_Credit, oneof: 'request' },
  unsubscribe: { number: 3, type: FetchRequest_Unsubscribe, oneof: 'request' }
})

const FetchResponse = new Codec<M.FetchResponse>({
  subscriptionId: { number: 1, type: 'uint32' },
  error: { number: 2, type: ErrorDetail },
  records: { number: 3, type: 'bytes' },
  highWatermark: { number: 4, type: 'int64' },
  logStart: { number: 5, type: 'int64' },
  leaderEpoch: { number: 6, type: 'int64' }
})

const GroupAssignor = ['GROUP_ASSIGNOR_UNSPECIFIED', 'GROUP_ASSIGNOR_UNIFORM', 'GROUP_ASSIGNOR_RANGE'] as const

const HeldPartitions = new Codec<M.HeldPartitions>({
  topic: { number: 1, type: 'string' },
  topicId: { number: 2, type: 'string' },
  partitions: { number: 3, type: 'int32', repeated: true },
  epochs: { number: 4, type: 'int64', repeated: true }
})

const QueueOrder = ['QUEUE_ORDER_UNSPECIFIED', 'QUEUE_ORDER_KEY'] as const

const QueueStart = ['QUEUE_START_UNSPECIFIED', 'QUEUE_START_LATEST'] as const

const QueueSettings = new Codec<M.QueueSettings>({
  order: { number: 1, type: QueueOrder },
  maxDeliveries: { number: 2, type: 'int32' },
  deadLetterTopic: { number: 3, type: 'string' },
  leaseMs: { number: 4, type: 'int32' },
  start: { number: 5, type: QueueStart }
})

const GroupSessionRequest_Join = new Codec<M.GroupSessionRequest_Join>({
  group: { number: 1, type: 'string' },
  memberId: { number: 2, type: 'string' },
  instanceId: { number: 3, type: 'string' },
  rack: { number: 4, type: 'string' },
  topics: { number: 5, type: 'string', repeated: true },
  assignor: { number: 6, type: GroupAssignor },
  sessionTimeoutMs: { number: 7, type: 'int32' },
  instanceGraceMs: { number: 8, type: 'int32' },
  releaseTimeoutMs: { number: 9, type: 'int32' },
  held: { number: 10, type: HeldPartitions, repeated: true },
  attempt: { number: 11, type: 'int64' },
  client: { number: 12, type: 'string' },
  memberEpoch: { number: 13, type: 'int64' },
  askingMs: { number: 14, type: 'int64' },
  queue: { number: 15, type: QueueSettings }
})

const GroupSessionRequest_Heartbeat = new Codec<M.GroupSessionRequest_Heartbeat>({})

const GroupSessionRequest_Release = new Codec<M.GroupSessionRequest_Release>({
  partitions: { number: 1, type: HeldPartitions, repeated: true }
})

const GroupSessionRequest_Leave = new Codec<M.GroupSessionRequest_Leave>({
  final: { number: 1, type: 'bool' }
})

const QueueRequest_Credit = new Codec<M.QueueRequest_Credit>({
  records: { number: 1, type: 'int32' }
})

const QueueRequest_Found = new Codec<M.QueueRequest_Found>({
  scan: { number: 1, type: 'int64' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  from: { number: 4, type: 'int64' },
  end: { number: 5, type: 'int64' },
  records: { number: 6, type: 'int64', repeated: true },
  keys: { number: 7, type: 'uint32', repeated: true }
})

const QueueOutcome = ['QUEUE_OUTCOME_UNSPECIFIED', 'QUEUE_OUTCOME_ACKNOWLEDGED', 'QUEUE_OUTCOME_RELEASED', 'QUEUE_OUTCOME_REJECTED', 'QUEUE_OUTCOME_RETURNED', 'QUEUE_OUTCOME_DEAD_LETTERED', 'QUEUE_OUTCOME_STUCK', 'QUEUE_OUTCOME_GONE'] as const

const QueueRequest_Settle = new Codec<M.QueueRequest_Settle>({
  sequence: { number: 1, type: 'int64' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  lease: { number: 4, type: 'int64' },
  records: { number: 5, type: 'int64', repeated: true },
  outcome: { number: 6, type: QueueOutcome },
  reason: { number: 7, type: 'string' },
  delayMs: { number: 8, type: 'int32' }
})

const QueueRequest_Renew = new Codec<M.QueueRequest_Renew>({
  leases: { number: 1, type: 'int64', repeated: true }
})

const QueueRequest = new Codec<M.QueueRequest>({
  credit: { number: 1, type: QueueRequest_Credit, oneof: 'request' },
  found: { number: 2, type: QueueRequest_Found, oneof: 'request' },
  settle: { number: 3, type: QueueRequest_Settle, oneof: 'request' },
  renew: { number: 4, type: QueueRequest_Renew, oneof: 'request' }
})

const GroupSessionRequest = new Codec<M.GroupSessionRequest>({
  join: { number: 1, type: GroupSessionRequest_Join, oneof: 'request' },
  heartbeat: { number: 2, type: GroupSessionRequest_Heartbeat, oneof: 'request' },
  release: { number: 3, type: GroupSessionRequest_Release, oneof: 'request' },
  leave: { number: 4, type: GroupSessionRequest_Leave, oneof: 'request' },
  queue: { number: 5, type: QueueRequest, oneof: 'request' }
})

const GroupSessionResponse_Assignment = new Codec<M.GroupSessionResponse_Assignment>({
  memberEpoch: { number: 1, type: 'int64' },
  partitions: { number: 2, type: HeldPartitions, repeated: true },
  coming: { number: 3, type: 'int32' }
})

const GroupSessionResponse_Alive = new Codec<M.GroupSessionResponse_Alive>({})

const GroupSessionResponse_Left = new Codec<M.GroupSessionResponse_Left>({})

const QueueResponse_Scan = new Codec<M.QueueResponse_Scan>({
  scan: { number: 1, type: 'int64' },
  topic: { number: 2, type: 'string' },
  topicId: { number: 3, type: 'string' },
  partition: { number: 4, type: 'int32' },
  from: { number: 5, type: 'int64' },
  recordsMax: { number: 6, type: 'int32' }
})

const QueueResponse_Halt = new Codec<M.QueueResponse_Halt>({
  scan: { number: 1, type: 'int64' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' }
})

const QueueResponse_Grant = new Codec<M.QueueResponse_Grant>({
  lease: { number: 1, type: 'int64' },
  topic: { number: 2, type: 'string' },
  topicId: { number: 3, type: 'string' },
  partition: { number: 4, type: 'int32' },
  records: { number: 5, type: 'int64', repeated: true },
  deliveries: { number: 6, type: 'int32', repeated: true },
  deadLetterTopic: { number: 7, type: 'string' },
  reasons: { number: 8, type: 'string', repeated: true },
  causes: { number: 9, type: 'string', repeated: true }
})

const QueueResponse_Settled = new Codec<M.QueueResponse_Settled>({
  sequence: { number: 1, type: 'int64' },
  error: { number: 2, type: 'string' }
})

const QueueResponse_Lapsed = new Codec<M.QueueResponse_Lapsed>({
  lease: { number: 1, type: 'int64' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' }
})

const QueueResponse = new Codec<M.QueueResponse>({
  scan: { number: 1, type: QueueResponse_Scan, oneof: 'response' },
  halt: { number: 2, type: QueueResponse_Halt, oneof: 'response' },
  grant: { number: 3, type: QueueResponse_Grant, oneof: 'response' },
  settled: { number: 4, type: QueueResponse_Settled, oneof: 'response' },
  lapsed: { number: 5, type: QueueResponse_Lapsed, oneof: 'response' }
})

const GroupSessionResponse = new Codec<M.GroupSessionResponse>({
  error: { number: 1, type: ErrorDetail, oneof: 'response' },
  assignment: { number: 2, type: GroupSessionResponse_Assignment, oneof: 'response' },
  alive: { number: 3, type: GroupSessionResponse_Alive, oneof: 'response' },
  left: { number: 4, type: GroupSessionResponse_Left, oneof: 'response' },
  queue: { number: 5, type: QueueResponse, oneof: 'response' }
})

const ListGroupsRequest = new Codec<M.ListGroupsRequest>({})

const GroupSummary = new Codec<M.GroupSummary>({
  group: { number: 1, type: 'string' },
  state: { number: 2, type: 'string' },
  members: { number: 3, type: 'int32' },
  offsets: { number: 4, type: 'int32' },
  queue: { number: 5, type: 'bool' }
})

const ListGroupsResponse = new Codec<M.ListGroupsResponse>({
  error: { number: 1, type: ErrorDetail },
  groups: { number: 2, type: GroupSummary, repeated: true }
})

const DescribeGroupRequest = new Codec<M.DescribeGroupRequest>({
  group: { number: 1, type: 'string' }
})

const DescribeGroupResponse_Member = new Codec<M.DescribeGroupResponse_Member>({
  memberId: { number: 1, type: 'string' },
  instanceId: { number: 2, type: 'string' },
  rack: { number: 3, type: 'string' },
  client: { number: 4, type: 'string' },
  epoch: { number: 5, type: 'int64' },
  topics: { number: 6, type: 'string', repeated: true },
  held: { number: 7, type: HeldPartitions, repeated: true },
  releasing: { number: 8, type: HeldPartitions, repeated: true },
  connected: { number: 9, type: 'bool' },
  inFlight: { number: 10, type: 'int32' }
})

const CommittedOffset = new Codec<M.CommittedOffset>({
  topic: { number: 1, type: 'string' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  offset: { number: 4, type: 'int64' },
  leaderEpoch: { number: 5, type: 'int64' },
  metadata: { number: 6, type: 'string' },
  committedAt: { number: 7, type: 'int64' },
  error: { number: 8, type: ErrorDetail }
})

const QueueState = new Codec<M.QueueState>({
  topic: { number: 1, type: 'string' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  start: { number: 4, type: 'int64' },
  end: { number: 5, type: 'int64' },
  unfinished: { number: 6, type: 'int32' },
  inFlight: { number: 7, type: 'int32' },
  dead: { number: 8, type: 'int32' },
  delivered: { number: 9, type: 'int64' },
  acknowledged: { number: 10, type: 'int64' },
  redelivered: { number: 11, type: 'int64' },
  rejected: { number: 12, type: 'int64' },
  deadLettered: { number: 13, type: 'int64' },
  gone: { number: 14, type: 'int64' },
  deadLetterError: { number: 15, type: 'string' },
  returned: { number: 16, type: 'int64' }
})

const DescribeGroupResponse = new Codec<M.DescribeGroupResponse>({
  error: { number: 1, type: ErrorDetail },
  group: { number: 2, type: 'string' },
  state: { number: 3, type: 'string' },
  epoch: { number: 4, type: 'int64' },
  assignor: { number: 5, type: GroupAssignor },
  members: { number: 6, type: DescribeGroupResponse_Member, repeated: true },
  offsets: { number: 7, type: CommittedOffset, repeated: true },
  queue: { number: 8, type: QueueSettings },
  queues: { number: 9, type: QueueState, repeated: true }
})

const DeleteGroupRequest = new Codec<M.DeleteGroupRequest>({
  group: { number: 1, type: 'string' }
})

const DeleteGroupResponse = new Codec<M.DeleteGroupResponse>({
  error: { number: 1, type: ErrorDetail }
})

const OffsetTarget = ['OFFSET_TARGET_UNSPECIFIED', 'OFFSET_TARGET_EARLIEST', 'OFFSET_TARGET_LATEST', 'OFFSET_TARGET_TIMESTAMP'] as const

const ListOffsetsRequest_Query = new Codec<M.ListOffsetsRequest_Query>({
  topic: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  target: { number: 3, type: OffsetTarget },
  timestamp: { number: 4, type: 'int64' }
})

const ListOffsetsRequest = new Codec<M.ListOffsetsRequest>({
  queries: { number: 1, type: ListOffsetsRequest_Query, repeated: true }
})

const ListOffsetsResponse_Result = new Codec<M.ListOffsetsResponse_Result>({
  error: { number: 1, type: ErrorDetail },
  topic: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  offset: { number: 4, type: 'int64' },
  timestamp: { number: 5, type: 'int64' },
  leaderEpoch: { number: 6, type: 'int64' }
})

const ListOffsetsResponse = new Codec<M.ListOffsetsResponse>({
  results: { number: 1, type: ListOffsetsResponse_Result, repeated: true }
})

const CommitOffsetsRequest = new Codec<M.CommitOffsetsRequest>({
  group: { number: 1, type: 'string' },
  offsets: { number: 2, type: CommittedOffset, repeated: true },
  memberId: { number: 3, type: 'string' },
  memberEpoch: { number: 4, type: 'int64' },
  sequence: { number: 5, type: 'int64' }
})

const CommitOffsetsResponse = new Codec<M.CommitOffsetsResponse>({
  error: { number: 1, type: ErrorDetail },
  offsets: { number: 2, type: CommittedOffset, repeated: true }
})

const GetCommittedOffsetsRequest = new Codec<M.GetCommittedOffsetsRequest>({
  group: { number: 1, type: 'string' },
  offsets: { number: 2, type: CommittedOffset, repeated: true },
  memberId: { number: 3, type: 'string' },
  memberEpoch: { number: 4, type: 'int64' }
})

const GetCommittedOffsetsResponse = new Codec<M.GetCommittedOffsetsResponse>({
  error: { number: 1, type: ErrorDetail },
  offsets: { number: 2, type: CommittedOffset, repeated: true }
})

const GetMetadataRequest = new Codec<M.GetMetadataRequest>({
  topics: { number: 1, type: 'string', repeated: true },
  includeInternal: { number: 2, type: 'bool' }
})

const TopicMetadata = new Codec<M.TopicMetadata>({
  error: { number: 1, type: ErrorDetail },
  topic: { number: 2, type: TopicInfo },
  partitions: { number: 3, type: PartitionRow, repeated: true }
})

const GetMetadataResponse = new Codec<M.GetMetadataResponse>({
  error: { number: 1, type: ErrorDetail },
  cluster: { number: 2, type: 'string' },
  clusterUid: { number: 3, type: 'string' },
  controller: { number: 4, type: 'int32' },
  controllerEpoch: { number: 5, type: 'int64' },
  brokers: { number: 6, type: BrokerInfo, repeated: true },
  topics: { number: 7, type: TopicMetadata, repeated: true }
})

const ProduceRequest = new Codec<M.ProduceRequest>({
  correlationId: { number: 1, type: 'uint32' },
  topic: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  topicId: { number: 4, type: 'string' },
  batch: { number: 5, type: 'bytes' }
})

const ProduceResponse = new Codec<M.ProduceResponse>({
  correlationId: { number: 1, type: 'uint32' },
  error: { number: 2, type: ErrorDetail },
  baseOffset: { number: 3, type: 'int64' },
  leaderEpoch: { number: 4, type: 'int64' }
})

const ReplicateRequest_Subscribe = new Codec<M.ReplicateRequest_Subscribe>({
  subscriptionId: { number: 1, type: 'uint32' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  leaderEpoch: { number: 4, type: 'int64' },
  identity: { number: 5, type: ReplicaIdentity },
  brokerEpoch: { number: 6, type: 'int64' },
  fetchOffset: { number: 7, type: 'int64' },
  lastEpoch: { number: 8, type: 'int64' },
  durableEnd: { number: 9, type: 'int64' }
})

const ReplicateRequest_Ack = new Codec<M.ReplicateRequest_Ack>({
  subscriptionId: { number: 1, type: 'uint32' },
  leaderEpoch: { number: 2, type: 'int64' },
  durableEnd: { number: 3, type: 'int64' }
})

const ReplicateRequest_Acks = new Codec<M.ReplicateRequest_Acks>({
  acks: { number: 1, type: ReplicateRequest_Ack, repeated: true }
})

const ReplicateRequest_Unsubscribe = new Codec<M.ReplicateRequest_Unsubscribe>({
  subscriptionId: { number: 1, type: 'uint32' }
})

const ReplicateRequest = new Codec<M.ReplicateRequest>({
  subscribe: { number: 1, type: ReplicateRequest_Subscribe, oneof: 'request' },
  acks: { number: 2, type: ReplicateRequest_Acks, oneof: 'request' },
  unsubscribe: { number: 3, type: ReplicateRequest_Unsubscribe, oneof: 'request' }
})

const ReplicateResponse_Records = new Codec<M.ReplicateResponse_Records>({
  records: { number: 1, type: 'bytes' },
  highWatermark: { number: 2, type: 'int64' },
  logStart: { number: 3, type: 'int64' }
})

const ReplicateResponse_Diverged = new Codec<M.ReplicateResponse_Diverged>({
  epoch: { number: 1, type: 'int64' },
  endOffset: { number: 2, type: 'int64' }
})

const ReplicateResponse_Refused = new Codec<M.ReplicateResponse_Refused>({
  error: { number: 1, type: ErrorDetail },
  row: { number: 2, type: PartitionRow }
})

const ReplicateResponse = new Codec<M.ReplicateResponse>({
  subscriptionId: { number: 1, type: 'uint32' },
  leaderEpoch: { number: 2, type: 'int64' },
  records: { number: 3, type: ReplicateResponse_Records, oneof: 'response' },
  diverged: { number: 4, type: ReplicateResponse_Diverged, oneof: 'response' },
  refused: { number: 5, type: ReplicateResponse_Refused, oneof: 'response' },
  row: { number: 6, type: PartitionRow, oneof: 'response' }
})

const ReplicaReport = new Codec<M.ReplicaReport>({
  topicId: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  topic: { number: 3, type: 'string' },
  replicaGen: { number: 4, type: 'int64' },
  row: { number: 5, type: PartitionRow },
  logStart: { number: 6, type: 'int64' },
  durableEnd: { number: 7, type: 'int64' },
  highWatermark: { number: 8, type: 'int64' },
  lastEpoch: { number: 9, type: 'int64' },
  leaderEpochSeen: { number: 10, type: 'int64' },
  damaged: { number: 11, type: 'string' },
  removed: { number: 12, type: 'bool' }
})

const ReplicaEnds = new Codec<M.ReplicaEnds>({
  topicId: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  identity: { number: 3, type: ReplicaIdentity },
  lastEpoch: { number: 4, type: 'int64' },
  durableEnd: { number: 5, type: 'int64' },
  highWatermark: { number: 6, type: 'int64' },
  present: { number: 7, type: 'bool' }
})

const SessionRequest_Boot = new Codec<M.SessionRequest_Boot>({
  brokerEpoch: { number: 1, type: 'int64' },
  incarnation: { number: 2, type: 'string' }
})

const SessionRequest_Register = new Codec<M.SessionRequest_Register>({
  clusterUid: { number: 1, type: 'string' },
  broker: { number: 2, type: BrokerInfo },
  controllerEpochSeen: { number: 3, type: 'int64' },
  replicas: { number: 4, type: ReplicaReport, repeated: true },
  relay: { number: 5, type: 'bool' },
  boots: { number: 6, type: SessionRequest_Boot, repeated: true }
})

const PartitionKey = new Codec<M.PartitionKey>({
  topicId: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' }
})

const SessionRequest_Heartbeat = new Codec<M.SessionRequest_Heartbeat>({
  sequence: { number: 1, type: 'int64' },
  unreachable: { number: 2, type: 'int32', repeated: true },
  fsyncAgeMs: { number: 3, type: 'int64' },
  starved: { number: 4, type: PartitionKey, repeated: true },
  diskLowMs: { number: 5, type: 'int64' },
  diskFull: { number: 6, type: 'bool' },
  acknowledged: { number: 7, type: 'int64' }
})

const SessionRequest_AddedMember = new Codec<M.SessionRequest_AddedMember>({
  identity: { number: 1, type: ReplicaIdentity },
  brokerEpoch: { number: 2, type: 'int64' },
  durableEnd: { number: 3, type: 'int64' }
})

const SessionRequest_ChangeInSync = new Codec<M.SessionRequest_ChangeInSync>({
  requestId: { number: 1, type: 'int64' },
  topicId: { number: 2, type: 'string' },
  partition: { number: 3, type: 'int32' },
  leaderEpoch: { number: 4, type: 'int64' },
  version: { number: 5, type: 'int64' },
  inSync: { number: 6, type: ReplicaIdentity, repeated: true },
  added: { number: 7, type: SessionRequest_AddedMember, repeated: true }
})

const SessionRequest_Ends = new Codec<M.SessionRequest_Ends>({
  questionId: { number: 1, type: 'int64' },
  ends: { number: 2, type: ReplicaEnds, repeated: true }
})

const SessionRequest_Stop = new Codec<M.SessionRequest_Stop>({})

const SessionRequest_ReplicaReports = new Codec<M.SessionRequest_ReplicaReports>({
  replicas: { number: 1, type: ReplicaReport, repeated: true }
})

const SessionRequest_LearnerProgress = new Codec<M.SessionRequest_LearnerProgress>({
  topicId: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  leaderEpoch: { number: 3, type: 'int64' },
  brokerId: { number: 4, type: 'int32' },
  bytesLeft: { number: 5, type: 'int64' },
  recordsLeft: { number: 6, type: 'int64' }
})

const SessionRequest_Progress = new Codec<M.SessionRequest_Progress>({
  learners: { number: 1, type: SessionRequest_LearnerProgress, repeated: true }
})

const SessionRequest_Addresses = new Codec<M.SessionRequest_Addresses>({
  listeners: { number: 1, type: ListenerAddress, repeated: true },
  rack: { number: 2, type: 'string' }
})

const SessionRequest = new Codec<M.SessionRequest>({
  register: { number: 1, type: SessionRequest_Register, oneof: 'request' },
  heartbeat: { number: 2, type: SessionRequest_Heartbeat, oneof: 'request' },
  changeInSync: { number: 3, type: SessionRequest_ChangeInSync, oneof: 'request' },
  ends: { number: 4, type: SessionRequest_Ends, oneof: 'request' },
  stop: { number: 5, type: SessionRequest_Stop, oneof: 'request' },
  reports: { number: 6, type: SessionRequest_ReplicaReports, oneof: 'request' },
  progress: { number: 7, type: SessionRequest_Progress, oneof: 'request' },
  addresses: { number: 8, type: SessionRequest_Addresses, oneof: 'request' }
})

const SessionResponse_Registered = new Codec<M.SessionResponse_Registered>({
  error: { number: 1, type: ErrorDetail },
  controllerEpoch: { number: 2, type: 'int64' },
  controller: { number: 3, type: 'int32' }
})

const SessionResponse_HeartbeatAck = new Codec<M.SessionResponse_HeartbeatAck>({
  sequence: { number: 1, type: 'int64' }
})

const SessionResponse_RemoveReplica = new Codec<M.SessionResponse_RemoveReplica>({
  topicId: { number: 1, type: 'string' },
  partition: { number: 2, type: 'int32' },
  replicaGen: { number: 3, type: 'int64' }
})

const SessionResponse_Push = new Codec<M.SessionResponse_Push>({
  controllerEpoch: { number: 1, type: 'int64' },
  full: { number: 2, type: 'bool' },
  brokers: { number: 3, type: BrokerInfo, repeated: true },
  topics: { number: 4, type: TopicInfo, repeated: true },
  rows: { number: 5, type: PartitionRow, repeated: true },
  topicsRemoved: { number: 6, type: 'string', repeated: true },
  remove: { number: 7, type: SessionResponse_RemoveReplica, repeated: true },
  more: { number: 8, type: 'bool' }
})

const SessionResponse_AskEnds = new Codec<M.SessionResponse_AskEnds>({
  questionId: { number: 1, type: 'int64' },
  partitions: { number: 2, type: PartitionKey, repeated: true }
})

const SessionResponse_ChangeInSyncResult = new Codec<M.SessionResponse_ChangeInSyncResult>({
  requestId: { number: 1, type: 'int64' },
  error: { number: 2, type: ErrorDetail },
  row: { number: 3, type: PartitionRow }
})

const SessionResponse_MayStop = new Codec<M.SessionResponse_MayStop>({})

const SessionResponse = new Codec<M.SessionResponse>({
  registered: { number: 1, type: SessionResponse_Registered, oneof: 'response' },
  heartbeatAck: { number: 2, type: SessionResponse_HeartbeatAck, oneof: 'response' },
  push: { number: 3, type: SessionResponse_Push, oneof: 'response' },
  askEnds: { number: 4, type: SessionResponse_AskEnds, oneof: 'response' },
  changeInSyncResult: { number: 5, type: SessionResponse_ChangeInSyncResult, oneof: 'response' },
  mayStop: { number: 6, type: SessionResponse_MayStop, oneof: 'response' }
})

const AskControllerRequest = new Codec<M.AskControllerRequest>({
  brokerId: { number: 1, type: 'int32' }
})

const AskControllerResponse = new Codec<M.AskControllerResponse>({
  brokerId: { number: 1, type: 'int32' },
  controllerEpoch: { number: 2, type: 'int64' },
  controller: { number: 3, type: 'int32' },
  controllerAddress: { number: 4, type: 'string' },
  connected: { number: 5, type: 'bool' }
})

const AnnounceControllerRequest = new Codec<M.AnnounceControllerRequest>({
  controllerEpoch: { number: 1, type: 'int64' },
  controller: { number: 2, type: 'int32' },
  controllerAddress: { number: 3, type: 'string' }
})

const AnnounceControllerResponse = new Codec<M.AnnounceControllerResponse>({
  controllerEpoch: { number: 1, type: 'int64' },
  brokerId: { number: 2, type: 'int32' },
  incarnation: { number: 3, type: 'string' }
})

export { ErrorDetail }

/** Every RPC by name. */
export const rpcs: { readonly [K in keyof M.Methods]: Rpc<K> } = {
  ApplyTopic: rpc('/millrace.v1.AdminService/ApplyTopic', false,
    ApplyTopicRequest, ApplyTopicResponse),
  DeleteTopic: rpc('/millrace.v1.AdminService/DeleteTopic', false,
    DeleteTopicRequest, DeleteTopicResponse),
  DescribeCluster: rpc('/millrace.v1.AdminService/DescribeCluster', false,
    DescribeClusterRequest, DescribeClusterResponse),
  MovePartitions: rpc('/millrace.v1.AdminService/MovePartitions', false,
    MovePartitionsRequest, MovePartitionsResponse),
  ElectLeaders: rpc('/millrace.v1.AdminService/ElectLeaders', false,
    ElectLeadersRequest, ElectLeadersResponse),
  RecoverPartition: rpc('/millrace.v1.AdminService/RecoverPartition', false,
    RecoverPartitionRequest, RecoverPartitionResponse),
  DrainBrokers: rpc('/millrace.v1.AdminService/DrainBrokers', false,
    DrainBrokersRequest, DrainBrokersResponse),
  PlanBrokers: rpc('/millrace.v1.AdminService/PlanBrokers', false,
    PlanBrokersRequest, PlanBrokersResponse),
  MaintainBrokers: rpc('/millrace.v1.AdminService/MaintainBrokers', false,
    MaintainBrokersRequest, MaintainBrokersResponse),
  RemoveBroker: rpc('/millrace.v1.AdminService/RemoveBroker', false,
    RemoveBrokerRequest, RemoveBrokerResponse),
  RestoreTables: rpc('/millrace.v1.AdminService/RestoreTables', false,
    RestoreTablesRequest, RestoreTablesResponse),
  Fetch: rpc('/millrace.v1.FetchService/Fetch', true,
    FetchRequest, FetchResponse),
  GroupSession: rpc('/millrace.v1.GroupsService/GroupSession', true,
    GroupSessionRequest, GroupSessionResponse),
  ListGroups: rpc('/millrace.v1.GroupsService/ListGroups', false,
    ListGroupsRequest, ListGroupsResponse),
  DescribeGroup: rpc('/millrace.v1.GroupsService/DescribeGroup', false,
    DescribeGroupRequest, DescribeGroupResponse),
  DeleteGroup: rpc('/millrace.v1.GroupsService/DeleteGroup', false,
    DeleteGroupRequest, DeleteGroupResponse),
  ListOffsets: rpc('/millrace.v1.OffsetsService/ListOffsets', false,
    ListOffsetsRequest, ListOffsetsResponse),
  CommitOffsets: rpc('/millrace.v1.OffsetsService/CommitOffsets', false,
    CommitOffsetsRequest, CommitOffsetsResponse),
  GetCommittedOffsets: rpc('/millrace.v1.OffsetsService/GetCommittedOffsets', false,
    GetCommittedOffsetsRequest, GetCommittedOffsetsResponse),
  GetMetadata: rpc('/millrace.v1.MetadataService/GetMetadata', false,
    GetMetadataRequest, GetMetadataResponse),
  Produce: rpc('/millrace.v1.ProduceService/Produce', true,
    ProduceRequest, ProduceResponse),
  Replicate: rpc('/millrace.v1.ReplicateService/Replicate', true,
    ReplicateRequest, ReplicateResponse),
  Session: rpc('/millrace.v1.SessionService/Session', true,
    SessionRequest, SessionResponse),
  AskController: rpc('/millrace.v1.SessionService/AskController', false,
    AskControllerRequest, AskControllerResponse),
  AnnounceController: rpc('/millrace.v1.SessionService/AnnounceController', false,
    AnnounceControllerRequest, AnnounceControllerResponse)
}
