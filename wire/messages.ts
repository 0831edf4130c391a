// Written by scripts/generate-messages.ts from proto/millrace/v1; do not edit.
// Decoded messages have every field (zero values for unset ones) but message fields and the
// members of a oneof. Senders use Sent<M>: every field is optional, repeated ones too.

export type Sent<M> = M extends Uint8Array ? M
  : M extends (infer E)[] ? readonly Sent<E>[]
    : M extends object ? { readonly [K in keyof M]?: Sent<M[K]> | undefined } : M

/** Level-triggered: says what a topic shall be. Adopts an orphaned topic of that name. */
export interface ApplyTopicRequest {
  name: string
  partitions: number
  /** 0: the controller's default, min(3, brokers). */
  replicas: number
  /** 0: floor(replicas / 2) + 1. */
  minInSync: number
  retentionMs: number
  retentionBytes: number
  segmentBytes: number
  /** uid of the Topic object, that two objects for one topic are told apart. */
  ownerUid: string
}

export interface ApplyTopicResponse {
  error?: ErrorDetail | undefined
  topic?: TopicStatus | undefined
}

export interface DeleteTopicRequest {
  name: string
  topicId: string
  /** False: the data keeps being served and the topic is listed as orphaned. */
  deleteData: boolean
}

export interface DeleteTopicResponse {
  error?: ErrorDetail | undefined
}

export interface DescribeClusterRequest {
  /** Empty: every topic. */
  topics: string[]
}

export interface DescribeClusterResponse {
  error?: ErrorDetail | undefined
  controller: number
  controllerEpoch: number
  brokers: BrokerInfo[]
  topics: TopicStatus[]
  partitions: number
  underReplicated: number
  underMinInSync: number
  offline: number
  /** Moves under way. */
  moves: PartitionMove[]
  drains: BrokerDrain[]
  /** Of under_replicated: those that lack more than replicas of brokers in maintenance. */
  underReplicatedUnexpectedly: number
  /** Brokers without which partitions would take no records, since brokers in maintenance are away. */
  indispensable: number[]
  /** Of brokers whose session says so. */
  lowDisks: LowDisk[]
}

export interface LowDisk {
  brokerId: number
  /** It takes nothing in. */
  full: boolean
  /** For how long its space has been low. */
  lowMs: number
}

export interface TopicStatus {
  topic?: TopicInfo | undefined
  /** True when no Topic object owns it. */
  orphaned: boolean
  ownerUid: string
  underReplicated: number
  underMinInSync: number
  offline: number
  /** The widest in-sync set wanted minus got: replicas that exist so far. */
  replicasInSync: number
  /** Partitions that a person recovered (RecoverPartition): their rows bar identities. */
  recovered: number[]
  /** Partitions with a move under way. */
  moving: number
}

export interface PartitionTarget {
  topic: string
  partition: number
  /** Broker ids in order of preference; empty: the move under way is given up. */
  replicas: number[]
}

export interface MovePartitionsRequest {
  targets: PartitionTarget[]
  /** True: checked and answered, nothing is changed. */
  dryRun: boolean
}

export interface MovePartitionsResponse {
  /** The first target that cannot be; then none is taken. */
  error?: ErrorDetail | undefined
  moves: PartitionMove[]
}

export interface PartitionMove {
  topic: string
  topicId: string
  partition: number
  /** The target, in order of preference. */
  replicas: number[]
  adding: number[]
  removing: number[]
  /** What the added replicas still have to get, as their leader reported it last; -1: not known yet. */
  bytesLeft: number
  /** Why it does not go on, empty while it does. */
  waitingFor: string
}

export interface ElectLeadersRequest {
  partitions: PartitionTarget[]
  /** Broker id; -1: the preferred leader of each partition. */
  leader: number
}

export interface ElectLeadersResponse {
  error?: ErrorDetail | undefined
  elected: ElectedLeader[]
}

export interface ElectedLeader {
  topic: string
  partition: number
  /** As it is now. */
  leader: number
  leaderEpoch: number
  /** Why it is not the one that was asked for. */
  error?: ErrorDetail | undefined
}

export interface RecoverPartitionRequest {
  topic: string
  partition: number
  /** Every member of the in-sync set, by broker id: whoever asks knows what is given up. */
  lost: number[]
  /** Broker id of the replica to go on with; -1: the one with the highest epoch and end, or an empty one. */
  survivor: number
  acceptDataLoss: boolean
  /** True: answers what would be, changes nothing. */
  dryRun: boolean
}

export interface RecoverPartitionResponse {
  error?: ErrorDetail | undefined
  before?: PartitionRow | undefined
  after?: PartitionRow | undefined
  /** Where the survivor's log ends; 0 for an empty one. */
  endOffset: number
  /** The highest high watermark that any broker reported: records from end_offset up to it are lost. */
  highWatermarkSeen: number
}

export interface DrainBrokersRequest {
  /** All brokers that shall be empty; those not named take replicas again. */
  brokerIds: number[]
}

export interface DrainBrokersResponse {
  error?: ErrorDetail | undefined
  drains: BrokerDrain[]
}

export interface BrokerDrain {
  brokerId: number
  /** Replicas that rows still name on it. */
  replicasLeft: number
  /** Replicas whose data it has not removed yet. */
  dataLeft: number
  /** Why it does not go on, e.g. too few other brokers; empty while it does. */
  waitingFor: string
}

export interface PlanBrokersRequest {
  /** All brokers that there shall be; those that are not there yet are taken for empty ones that serve. */
  brokerIds: number[]
}

export interface PlanBrokersResponse {
  error?: ErrorDetail | undefined
  /** Partitions that end elsewhere, in no order of time; bytes_left is not known. */
  moves: PartitionMove[]
  /** Brokers that would have to go: replicas_left and waiting_for of those that could not be emptied. */
  drains: BrokerDrain[]
}

export interface MaintainBrokersRequest {
  /** All brokers that may be away; those not named lead again. */
  brokerIds: number[]
}

export interface MaintainBrokersResponse {
  error?: ErrorDetail | undefined
  brokers: BrokerMaintenance[]
}

export interface BrokerMaintenance {
  brokerId: number
  /** Partitions that it still leads. */
  leading: number
}

export interface RemoveBrokerRequest {
  brokerId: number
}

export interface RemoveBrokerResponse {
  error?: ErrorDetail | undefined
}

export interface RestoreTablesRequest {
  /** True: nothing is changed. */
  dryRun: boolean
  /** Brokers that are not waited for any more. */
  without: number[]
}

export interface RestoreTablesResponse {
  error?: ErrorDetail | undefined
  tables: TableRestore[]
}

export interface TableRestore {
  table: string
  /** Empty when the table is whole. */
  reason: string
  waitingFor: number[]
  /** What would be written from the reports so far. */
  rows: PartitionRow[]
  /** Partitions, as topic-number, that no report tells anything of. */
  undecided: string[]
}

/** A code of the closed table in wire/errors.ts, with what a client needs to act on it. */
export interface ErrorDetail {
  code: string
  message: string
  /** NOT_LEADER, FENCED_EPOCH: where the leader is as far as the sender knows, -1 when it knows none. */
  leader: number
  leaderEpoch: number
  leaderAddress: string
  /** OFFSET_OUT_OF_RANGE: the offsets that can be read, [log_start, high_watermark]. */
  logStart: number
  highWatermark: number
  /** RESOURCE_EXHAUSTED codes: when to try again. */
  retryAfterMs: number
  /** NOT_CONTROLLER: the controller's peer address as far as the sender knows, empty for none. */
  controllerAddress: string
}

/**
 * What a replica is: never a name or an ordinal alone. A wiped disk has another volume_id, a replica
 * made anew on the same volume another replica_gen.
 */
export interface ReplicaIdentity {
  brokerId: number
  volumeId: string
  replicaGen: number
}

/** The controller's decision about one partition. (leader_epoch, version) orders rows. */
export interface PartitionRow {
  topicId: string
  partition: number
  /**
   * Broker ids in order of preference; replicas[0] is the preferred leader. During a move: the target,
   * then those that leave.
   */
  replicas: number[]
  /** Broker id, -1 for none. */
  leader: number
  leaderEpoch: number
  inSync: ReplicaIdentity[]
  version: number
  /** The effective floor of the in-sync set. */
  minInSync: number
  /** Of replicas: those that a move adds, those that it removes. */
  adding: number[]
  removing: number[]
  /** Identities that a person declared lost: never members again. */
  barred: ReplicaIdentity[]
}

export interface TopicInfo {
  topicId: string
  name: string
  internal: boolean
  partitions: number
  replicas: number
  minInSync: number
  /** -1: no limit. */
  retentionMs: number
  /** Per partition; -1: no limit. */
  retentionBytes: number
  segmentBytes: number
  /** True while the topic is being deleted. */
  deleting: boolean
  /** True when no Topic object owns it: it keeps being served. */
  orphaned: boolean
}

export interface BrokerInfo {
  brokerId: number
  volumeId: string
  /** The boot count of the volume when this incarnation registered. */
  brokerEpoch: number
  incarnation: string
  fenced: boolean
  stopping: boolean
  /** host:port that clients dial. */
  clientAddress: string
  /** host:port that brokers and the operator dial. */
  peerAddress: string
  rack: string
  /** It shall hold no replica any more. */
  draining: boolean
  /** Where clients reach it that come through other listeners than the client port. */
  listeners: ListenerAddress[]
  /** It may be away: it leads nothing that others can lead. */
  maintenance: boolean
}

export interface ListenerAddress {
  /** As in spec.listeners of the Cluster. */
  name: string
  /** host:port, empty while it is not known. */
  address: string
}

export interface FetchRequest {
  /** Which of the optional fields below is set. */
  request?: 'subscribe' | 'credit' | 'unsubscribe'
  subscribe?: FetchRequest_Subscribe | undefined
  credit?: FetchRequest_Credit | undefined
  unsubscribe?: FetchRequest_Unsubscribe | undefined
}

export interface FetchRequest_Subscribe {
  /** Chosen by the client, unique on the stream. */
  subscriptionId: number
  topic: string
  partition: number
  topicId: string
  /** The first offset wanted. A batch that begins before it and holds it is sent whole. */
  offset: number
  /** The newest leader epoch that the client knows for the partition, -1 for none. */
  leaderEpoch: number
  /** Bytes of records that the broker may send. At least one batch is sent while credit is above 0. */
  creditBytes: number
  /**
   * A follower of the in-sync set may serve it too, from what it knows to be committed. It never answers
   * OFFSET_OUT_OF_RANGE: OFFSET_NOT_AVAILABLE sends the reader to the leader, which can tell.
   */
  fromFollower: boolean
}

export interface FetchRequest_Credit {
  subscriptionId: number
  bytes: number
}

export interface FetchRequest_Unsubscribe {
  subscriptionId: number
}

/** Each answer belongs to one subscription. An error ends that subscription, not the stream. */
export interface FetchResponse {
  subscriptionId: number
  error?: ErrorDetail | undefined
  /** Whole record batches, one after the other, all below high_watermark. May be empty: only news of it. */
  records: Uint8Array
  highWatermark: number
  logStart: number
  leaderEpoch: number
}

export type GroupAssignor = 'GROUP_ASSIGNOR_UNSPECIFIED' | 'GROUP_ASSIGNOR_UNIFORM' | 'GROUP_ASSIGNOR_RANGE'

/** Partitions of one topic that a member holds, each with the epoch in which it was given to it. */
export interface HeldPartitions {
  topic: string
  topicId: string
  partitions: number[]
  /** As many as partitions. */
  epochs: number[]
}

export interface GroupSessionRequest {
  /** Which of the optional fields below is set. */
  request?: 'join' | 'heartbeat' | 'release' | 'leave' | 'queue'
  join?: GroupSessionRequest_Join | undefined
  heartbeat?: GroupSessionRequest_Heartbeat | undefined
  release?: GroupSessionRequest_Release | undefined
  leave?: GroupSessionRequest_Leave | undefined
  /** Of a member of a queue group, once it has had an assignment on this stream. */
  queue?: QueueRequest | undefined
}

/** Begins membership, or takes it up again on another stream or at another coordinator. */
export interface GroupSessionRequest_Join {
  group: string
  /** Chosen by the member, random, new with each process: 16 lower-case hex characters. */
  memberId: string
  /** Static membership: a name that the member has again after a restart; empty for none. */
  instanceId: string
  rack: string
  topics: string[]
  assignor: GroupAssignor
  /** A member that says nothing for so long is taken for dead. */
  sessionTimeoutMs: number
  /** How long a static member may be away. */
  instanceGraceMs: number
  /** A partition that is to be released and is not after this costs the membership. */
  releaseTimeoutMs: number
  /** What the member holds now; when it joins again it keeps what is still its own. */
  held: HeldPartitions[]
  /** Counts the streams of this member: an older one that arrives late is refused. */
  attempt: number
  /** What people see in `group describe`. */
  client: string
  /**
   * The last epoch in which this process was told what it may read; 0 for none. Of two processes with one
   * instance_id the one that came later stays: this tells a newcomer from one that returns.
   */
  memberEpoch: number
  /**
   * How long ago this process first asked to join, on its own clock: of two that were never told anything, this
   * tells which came later.
   */
  askingMs: number
  /** Set: the group is a queue. Its members hold records, not partitions. */
  queue?: QueueSettings | undefined
}

export interface GroupSessionRequest_Heartbeat {
}

/** These partitions are no longer read, and what was finished of them is committed. */
export interface GroupSessionRequest_Release {
  partitions: HeldPartitions[]
}

/** At once; a static member's partitions are kept for its grace time unless final is set. */
export interface GroupSessionRequest_Leave {
  final: boolean
}

export interface GroupSessionResponse {
  /** Which of the optional fields below is set. */
  response?: 'error' | 'assignment' | 'alive' | 'left' | 'queue'
  /** Ends the stream. */
  error?: ErrorDetail | undefined
  assignment?: GroupSessionResponse_Assignment | undefined
  /** Answers a heartbeat. */
  alive?: GroupSessionResponse_Alive | undefined
  /** Answers a leave. */
  left?: GroupSessionResponse_Left | undefined
  queue?: QueueResponse | undefined
}

/**
 * All that the member may read now. What it holds beside it is to be released; a partition whose epoch
 * differs from the one held is another one: what was not committed of it is void.
 */
export interface GroupSessionResponse_Assignment {
  /** To be named in commits. */
  memberEpoch: number
  partitions: HeldPartitions[]
  /** How many more are meant for it, as soon as those who hold them have released them. */
  coming: number
}

export interface GroupSessionResponse_Alive {
}

export interface GroupSessionResponse_Left {
}

export interface ListGroupsRequest {
}

export interface ListGroupsResponse {
  error?: ErrorDetail | undefined
  groups: GroupSummary[]
}

export interface GroupSummary {
  group: string
  /** empty: no members; moving: partitions are on their way to another member; stable. */
  state: string
  members: number
  /** Partitions with a committed offset. */
  offsets: number
  /** Its members share records, not partitions. */
  queue: boolean
}

export interface DescribeGroupRequest {
  group: string
}

export interface DescribeGroupResponse {
  error?: ErrorDetail | undefined
  group: string
  state: string
  /** Counts changes of members and of who holds what. */
  epoch: number
  assignor: GroupAssignor
  members: DescribeGroupResponse_Member[]
  offsets: CommittedOffset[]
  /** Of a queue group: what its members agree on; unset while it has none. */
  queue?: QueueSettings | undefined
  queues: QueueState[]
}

export interface DescribeGroupResponse_Member {
  memberId: string
  instanceId: string
  rack: string
  client: string
  epoch: number
  topics: string[]
  held: HeldPartitions[]
  /** Of held: those that it has been told to release. */
  releasing: HeldPartitions[]
  /** False while its stream is broken and it is waited for. */
  connected: boolean
  /** Of a queue group: records that it has. */
  inFlight: number
}

export interface DeleteGroupRequest {
  group: string
}

export interface DeleteGroupResponse {
  error?: ErrorDetail | undefined
}

export type OffsetTarget = 'OFFSET_TARGET_UNSPECIFIED' | 'OFFSET_TARGET_EARLIEST' | 'OFFSET_TARGET_LATEST' | 'OFFSET_TARGET_TIMESTAMP'

export interface ListOffsetsRequest {
  queries: ListOffsetsRequest_Query[]
}

export interface ListOffsetsRequest_Query {
  topic: string
  partition: number
  target: OffsetTarget
  timestamp: number
}

export interface ListOffsetsResponse {
  /** In the order of the queries. */
  results: ListOffsetsResponse_Result[]
}

export interface ListOffsetsResponse_Result {
  error?: ErrorDetail | undefined
  topic: string
  partition: number
  offset: number
  timestamp: number
  leaderEpoch: number
}

export interface CommittedOffset {
  topic: string
  topicId: string
  partition: number
  /** The next offset to read. */
  offset: number
  /** The newest leader epoch of the partition that the reader knew, 0 or -1 for none: the next one fetches with it. */
  leaderEpoch: number
  metadata: string
  /** Set in answers only. */
  committedAt: number
  error?: ErrorDetail | undefined
}

/** A group with members takes commits of members alone, and of each only for partitions that it holds. */
export interface CommitOffsetsRequest {
  group: string
  offsets: CommittedOffset[]
  /**
   * Of a member: its id, and the epoch that its last assignment came with. Empty for readers that chose
   * their partitions themselves.
   */
  memberId: string
  memberEpoch: number
  /** Counts the commits of a reader; one that comes after a later one has no effect. 0: not counted. */
  sequence: number
}

/** Sent when the commit is durable on the quorum. Each offset has its own error. */
export interface CommitOffsetsResponse {
  error?: ErrorDetail | undefined
  offsets: CommittedOffset[]
}

export interface GetCommittedOffsetsRequest {
  group: string
  /** Empty: every partition that the group has committed. */
  offsets: CommittedOffset[]
  /**
   * Of a member, as in CommitOffsetsRequest: a coordinator that does not know of that epoch is not the
   * coordinator any more, and refuses.
   */
  memberId: string
  memberEpoch: number
}

/** Partitions that the group never committed are left out. */
export interface GetCommittedOffsetsResponse {
  error?: ErrorDetail | undefined
  offsets: CommittedOffset[]
}

export type QueueOrder = 'QUEUE_ORDER_UNSPECIFIED' | 'QUEUE_ORDER_KEY'

export type QueueStart = 'QUEUE_START_UNSPECIFIED' | 'QUEUE_START_LATEST'

/** What a member asks of its group. Live members agree on the order; of the rest the newest member's word holds. */
export interface QueueSettings {
  order: QueueOrder
  /** A record delivered so often and not acknowledged goes to the dead-letter topic; 0: there is no such end. */
  maxDeliveries: number
  /** Empty: none; then a rejected record is dropped, and deliveries have no end. */
  deadLetterTopic: string
  /** A lease that is not renewed for so long is over. */
  leaseMs: number
  /** Where a partition begins that the group knows nothing of. */
  start: QueueStart
}

export type QueueOutcome = 'QUEUE_OUTCOME_UNSPECIFIED' | 'QUEUE_OUTCOME_ACKNOWLEDGED' | 'QUEUE_OUTCOME_RELEASED' | 'QUEUE_OUTCOME_REJECTED' | 'QUEUE_OUTCOME_RETURNED' | 'QUEUE_OUTCOME_DEAD_LETTERED' | 'QUEUE_OUTCOME_STUCK' | 'QUEUE_OUTCOME_GONE'

export interface QueueRequest {
  /** Which of the optional fields below is set. */
  request?: 'credit' | 'found' | 'settle' | 'renew'
  credit?: QueueRequest_Credit | undefined
  found?: QueueRequest_Found | undefined
  settle?: QueueRequest_Settle | undefined
  renew?: QueueRequest_Renew | undefined
}

/** So many records more may be granted. A new stream begins with none. */
export interface QueueRequest_Credit {
  records: number
}

/** Answers a scan, once there is a record at least. */
export interface QueueRequest_Found {
  scan: number
  topicId: string
  partition: number
  /** As in the scan, or where the partition begins for the group. */
  from: number
  /** Nothing but `records` lies between from and end. */
  end: number
  records: number[]
  /** Ordered by key: for each record a hash of its key, 0 for none. */
  keys: number[]
}

export interface QueueRequest_Settle {
  /** Counts the settlements of a member; the answer names it. */
  sequence: number
  topicId: string
  partition: number
  lease: number
  records: number[]
  outcome: QueueOutcome
  reason: string
  /** Of a released record: not before this, as far as the coordinator stays the same. */
  delayMs: number
}

/** These leases hold for another lease_ms. */
export interface QueueRequest_Renew {
  leases: number[]
}

export interface QueueResponse {
  /** Which of the optional fields below is set. */
  response?: 'scan' | 'halt' | 'grant' | 'settled' | 'lapsed'
  scan?: QueueResponse_Scan | undefined
  halt?: QueueResponse_Halt | undefined
  grant?: QueueResponse_Grant | undefined
  settled?: QueueResponse_Settled | undefined
  lapsed?: QueueResponse_Lapsed | undefined
}

/** Read the partition here, and say what there is. */
export interface QueueResponse_Scan {
  scan: number
  topic: string
  topicId: string
  partition: number
  /** -1: the group knows nothing of the partition; begin where the settings say. */
  from: number
  recordsMax: number
}

/** Another member goes on. */
export interface QueueResponse_Halt {
  scan: number
  topicId: string
  partition: number
}

/** These records are the member's until the lease is over. */
export interface QueueResponse_Grant {
  lease: number
  topic: string
  topicId: string
  partition: number
  records: number[]
  /** For each record: how often it was delivered, this time included. */
  deliveries: number[]
  /** Not empty: to be written there, not to be handled. */
  deadLetterTopic: string
  /** For each record, when it is to be written to the dead-letter topic. */
  reasons: string[]
  /** For each: rejected, or deliveries (there were as many as the group allows). */
  causes: string[]
}

export interface QueueResponse_Settled {
  sequence: number
  /** Empty: done and durable. LEASE_LOST: not all of them were the member's any more. */
  error: string
}

/** The lease is over: it was not renewed. */
export interface QueueResponse_Lapsed {
  lease: number
  topicId: string
  partition: number
}

/** Of one partition, in DescribeGroup. */
export interface QueueState {
  topic: string
  topicId: string
  partition: number
  /** Everything before it is finished. */
  start: number
  /** Everything from here on is unseen by the group. */
  end: number
  /** Of those between: not finished. */
  unfinished: number
  /** Of those: with a member. */
  inFlight: number
  /** Of those: on their way to the dead-letter topic. */
  dead: number
  /** Since the group exists. */
  delivered: number
  acknowledged: number
  redelivered: number
  rejected: number
  deadLettered: number
  gone: number
  /** Why the dead-letter topic does not take records, empty when it does. */
  deadLetterError: string
  /** Of those delivered: given back by members that had not handled them. */
  returned: number
}

export interface GetMetadataRequest {
  /** Empty: every topic. */
  topics: string[]
  includeInternal: boolean
}

export interface GetMetadataResponse {
  error?: ErrorDetail | undefined
  cluster: string
  clusterUid: string
  /** Broker id, -1 while there is none. */
  controller: number
  controllerEpoch: number
  brokers: BrokerInfo[]
  topics: TopicMetadata[]
}

export interface TopicMetadata {
  /** UNKNOWN_TOPIC for a name that was asked for and is not known. */
  error?: ErrorDetail | undefined
  topic?: TopicInfo | undefined
  partitions: PartitionRow[]
}

export interface ProduceRequest {
  /** Chosen by the client, unique among the unanswered requests of the stream. */
  correlationId: number
  topic: string
  partition: number
  /** Empty, or the id that the client resolved: another one answers UNKNOWN_TOPIC_ID. */
  topicId: string
  /** One record batch (wire/record-batch.ts). */
  batch: Uint8Array
}

/** Sent when the batch is committed: fsynced on every member of the in-sync set. */
export interface ProduceResponse {
  correlationId: number
  error?: ErrorDetail | undefined
  baseOffset: number
  leaderEpoch: number
}

export interface ReplicateRequest {
  /** Which of the optional fields below is set. */
  request?: 'subscribe' | 'acks' | 'unsubscribe'
  subscribe?: ReplicateRequest_Subscribe | undefined
  acks?: ReplicateRequest_Acks | undefined
  unsubscribe?: ReplicateRequest_Unsubscribe | undefined
}

export interface ReplicateRequest_Subscribe {
  /** Chosen by the follower, unique on the stream, never used again after an end. */
  subscriptionId: number
  topicId: string
  partition: number
  leaderEpoch: number
  identity?: ReplicaIdentity | undefined
  brokerEpoch: number
  /** The follower's log end. */
  fetchOffset: number
  /** The epoch of its last batch, -1 for an empty log. */
  lastEpoch: number
  durableEnd: number
}

export interface ReplicateRequest_Acks {
  acks: ReplicateRequest_Ack[]
}

/** What is fsynced now, said in the subscription's leader epoch. */
export interface ReplicateRequest_Ack {
  subscriptionId: number
  leaderEpoch: number
  durableEnd: number
}

export interface ReplicateRequest_Unsubscribe {
  subscriptionId: number
}

export interface ReplicateResponse {
  /** Which of the optional fields below is set. */
  response?: 'records' | 'diverged' | 'refused' | 'row'
  subscriptionId: number
  leaderEpoch: number
  records?: ReplicateResponse_Records | undefined
  diverged?: ReplicateResponse_Diverged | undefined
  /** Ends the subscription: NOT_LEADER, FENCED_EPOCH (with row), UNKNOWN_EPOCH ... */
  refused?: ReplicateResponse_Refused | undefined
  /** A newer row under the same leader epoch: journaled before later records are acknowledged. */
  row?: PartitionRow | undefined
}

/** Whole batches that begin at the follower's end; empty when only the marks moved. */
export interface ReplicateResponse_Records {
  records: Uint8Array
  highWatermark: number
  logStart: number
}

/**
 * The follower's log differs: epoch is the leader's floor epoch, end_offset where that ends. Nothing
 * else follows until the follower has truncated and subscribed again.
 */
export interface ReplicateResponse_Diverged {
  epoch: number
  endOffset: number
}

export interface ReplicateResponse_Refused {
  error?: ErrorDetail | undefined
  row?: PartitionRow | undefined
}

/** What a replica last knew, reported when its broker registers. */
export interface ReplicaReport {
  topicId: string
  partition: number
  topic: string
  replicaGen: number
  /** The last row that the replica journaled, unset when it never had one. */
  row?: PartitionRow | undefined
  logStart: number
  durableEnd: number
  highWatermark: number
  lastEpoch: number
  /** The highest leader epoch that the replica has seen. */
  leaderEpochSeen: number
  /** Why the replica must not be counted or elected; empty when it is sound. */
  damaged: string
  /** The replica is gone from the volume, as ordered: the other fields but its key mean nothing. */
  removed: boolean
}

export interface ReplicaEnds {
  topicId: string
  partition: number
  identity?: ReplicaIdentity | undefined
  lastEpoch: number
  durableEnd: number
  highWatermark: number
  /** False when the broker holds no such replica, or a damaged one. */
  present: boolean
}

export interface SessionRequest {
  /** Which of the optional fields below is set. */
  request?: 'register' | 'heartbeat' | 'changeInSync' | 'ends' | 'stop' | 'reports' | 'progress' | 'addresses'
  register?: SessionRequest_Register | undefined
  heartbeat?: SessionRequest_Heartbeat | undefined
  changeInSync?: SessionRequest_ChangeInSync | undefined
  ends?: SessionRequest_Ends | undefined
  stop?: SessionRequest_Stop | undefined
  reports?: SessionRequest_ReplicaReports | undefined
  progress?: SessionRequest_Progress | undefined
  addresses?: SessionRequest_Addresses | undefined
}

/** First message of the stream. */
export interface SessionRequest_Register {
  clusterUid: string
  broker?: BrokerInfo | undefined
  /** The highest controller epoch that this broker has persisted. */
  controllerEpochSeen: number
  replicas: ReplicaReport[]
  /**
   * To a peer that has a session with the controller, from a broker that cannot reach the controller
   * itself: pass this session on. It is passed on without this, so that one hop is all.
   */
  relay: boolean
  /**
   * The openings of the volume that it remembers, this one first: one that has registered and is not among them
   * shows that the volume is an older copy.
   */
  boots: SessionRequest_Boot[]
}

export interface SessionRequest_Boot {
  brokerEpoch: number
  incarnation: string
}

/** Every 200 ms. */
export interface SessionRequest_Heartbeat {
  sequence: number
  /** Broker ids that this broker cannot reach. */
  unreachable: number[]
  /** The age of its oldest fsync that has not returned, or for how long its disk has been full. */
  fsyncAgeMs: number
  /** Partitions that this broker leads and lacks replication streams from minInSync members for 3 s. */
  starved: PartitionKey[]
  /** For how long its volume has been low on space; 0: it is not. */
  diskLowMs: number
  /** It takes nothing in for want of space. */
  diskFull: boolean
  /** The highest sequence of a HeartbeatAck that has reached it; 0: none yet. */
  acknowledged: number
}

/** The leader asks for another in-sync set; answered by ChangeInSyncResult and, if written, a push. */
export interface SessionRequest_ChangeInSync {
  requestId: number
  topicId: string
  partition: number
  leaderEpoch: number
  version: number
  inSync: ReplicaIdentity[]
  /** The broker epoch of each member that is added, as the leader saw it in its acknowledgements. */
  added: SessionRequest_AddedMember[]
}

export interface SessionRequest_AddedMember {
  identity?: ReplicaIdentity | undefined
  brokerEpoch: number
  durableEnd: number
}

/** Answers AskEnds. */
export interface SessionRequest_Ends {
  questionId: number
  ends: ReplicaEnds[]
}

/** From leaders, every second while there are learners: how far those are. */
export interface SessionRequest_Progress {
  learners: SessionRequest_LearnerProgress[]
}

export interface SessionRequest_LearnerProgress {
  topicId: string
  partition: number
  leaderEpoch: number
  brokerId: number
  /** Bytes of the leader's log that the learner has not acknowledged. */
  bytesLeft: number
  /** Records, likewise. */
  recordsLeft: number
}

/**
 * Other addresses than those it registered with, or another rack: a load balancer has one at last, a node port has
 * changed, the label of its node has.
 */
export interface SessionRequest_Addresses {
  listeners: ListenerAddress[]
  /** Empty: as it was. */
  rack: string
}

/** SIGTERM: move every leadership away, then answer MayStop. */
export interface SessionRequest_Stop {
}

/** Replicas made, damaged or removed since registering. */
export interface SessionRequest_ReplicaReports {
  replicas: ReplicaReport[]
}

export interface PartitionKey {
  topicId: string
  partition: number
}

export interface SessionResponse {
  /** Which of the optional fields below is set. */
  response?: 'registered' | 'heartbeatAck' | 'push' | 'askEnds' | 'changeInSyncResult' | 'mayStop'
  registered?: SessionResponse_Registered | undefined
  heartbeatAck?: SessionResponse_HeartbeatAck | undefined
  push?: SessionResponse_Push | undefined
  askEnds?: SessionResponse_AskEnds | undefined
  changeInSyncResult?: SessionResponse_ChangeInSyncResult | undefined
  mayStop?: SessionResponse_MayStop | undefined
}

/** An error (DUPLICATE_BROKER, NOT_CONTROLLER, WRONG_CLUSTER ...) is followed by the stream's end. */
export interface SessionResponse_Registered {
  error?: ErrorDetail | undefined
  controllerEpoch: number
  controller: number
}

export interface SessionResponse_HeartbeatAck {
  sequence: number
}

/** News, or everything (full = true, the first push after Registered). */
export interface SessionResponse_Push {
  controllerEpoch: number
  full: boolean
  brokers: BrokerInfo[]
  topics: TopicInfo[]
  rows: PartitionRow[]
  /** Topics that are gone; their rows go with them. Data goes only for those in orders. */
  topicsRemoved: string[]
  /** Replicas of the receiving broker whose removal is confirmed: their data is to be deleted. */
  remove: SessionResponse_RemoveReplica[]
  /** Another part of the same push follows: parts count as one push, taken in when the last is there. */
  more: boolean
}

export interface SessionResponse_RemoveReplica {
  topicId: string
  partition: number
  replicaGen: number
}

export interface SessionResponse_AskEnds {
  questionId: number
  partitions: PartitionKey[]
}

export interface SessionResponse_ChangeInSyncResult {
  requestId: number
  error?: ErrorDetail | undefined
  /** The row as it stands, also when it is the newer one that made the request stale. */
  row?: PartitionRow | undefined
}

export interface SessionResponse_MayStop {
}

export interface AskControllerRequest {
  brokerId: number
}

export interface AskControllerResponse {
  brokerId: number
  /** The highest controller epoch that the broker has persisted. */
  controllerEpoch: number
  controller: number
  controllerAddress: string
  /** True while the broker has a live session (or is the controller). */
  connected: boolean
}

export interface AnnounceControllerRequest {
  controllerEpoch: number
  controller: number
  controllerAddress: string
}

export interface AnnounceControllerResponse {
  /** The highest controller epoch that the broker has persisted. */
  controllerEpoch: number
  brokerId: number
  /** Tells a process from the one that had the address before it. */
  incarnation: string
}

/** Every RPC by name; stream: bidirectional, otherwise one request and one answer. */
export interface Methods {
  ApplyTopic: { request: ApplyTopicRequest, response: ApplyTopicResponse, service: 'AdminService', stream: false }
  DeleteTopic: { request: DeleteTopicRequest, response: DeleteTopicResponse, service: 'AdminService', stream: false }
  DescribeCluster: { request: DescribeClusterRequest, response: DescribeClusterResponse, service: 'AdminService', stream: false }
  MovePartitions: { request: MovePartitionsRequest, response: MovePartitionsResponse, service: 'AdminService', stream: false }
  ElectLeaders: { request: ElectLeadersRequest, response: ElectLeadersResponse, service: 'AdminService', stream: false }
  RecoverPartition: { request: RecoverPartitionRequest, response: RecoverPartitionResponse, service: 'AdminService', stream: false }
  DrainBrokers: { request: DrainBrokersRequest, response: DrainBrokersResponse, service: 'AdminService', stream: false }
  PlanBrokers: { request: PlanBrokersRequest, response: PlanBrokersResponse, service: 'AdminService', stream: false }
  MaintainBrokers: { request: MaintainBrokersRequest, response: MaintainBrokersResponse, service: 'AdminService', stream: false }
  RemoveBroker: { request: RemoveBrokerRequest, response: RemoveBrokerResponse, service: 'AdminService', stream: false }
  RestoreTables: { request: RestoreTablesRequest, response: RestoreTablesResponse, service: 'AdminService', stream: false }
  Fetch: { request: FetchRequest, response: FetchResponse, service: 'FetchService', stream: true }
  GroupSession: { request: GroupSessionRequest, response: GroupSessionResponse, service: 'GroupsService', stream: true }
  ListGroups: { request: ListGroupsRequest, response: ListGroupsResponse, service: 'GroupsService', stream: false }
  DescribeGroup: { request: DescribeGroupRequest, response: DescribeGroupResponse, service: 'GroupsService', stream: false }
  DeleteGroup: { request: DeleteGroupRequest, response: DeleteGroupResponse, service: 'GroupsService', stream: false }
  ListOffsets: { request: ListOffsetsRequest, response: ListOffsetsResponse, service: 'OffsetsService', stream: false }
  CommitOffsets: { request: CommitOffsetsRequest, response: CommitOffsetsResponse, service: 'OffsetsService', stream: false }
  GetCommittedOffsets: { request: GetCommittedOffsetsRequest, response: GetCommittedOffsetsResponse, service: 'OffsetsService', stream: false }
  GetMetadata: { request: GetMetadataRequest, response: GetMetadataResponse, service: 'MetadataService', stream: false }
  Produce: { request: ProduceRequest, response: ProduceResponse, service: 'ProduceService', stream: true }
  Replicate: { request: ReplicateRequest, response: ReplicateResponse, service: 'ReplicateService', stream: true }
  Session: { request: SessionRequest, response: SessionResponse, service: 'SessionService', stream: true }
  AskController: { request: AskControllerRequest, response: AskControllerResponse, service: 'SessionService', stream: false }
  AnnounceController: { request: AnnounceControllerRequest, response: AnnounceControllerResponse, service: 'SessionService', stream: false }
}
