// The seam between a broker's bond with the controller (agent.ts, view.ts) and its replicas
// (partition/host.ts). Neither knows the other's files.
import type {
  BrokerInfo, ListenerAddress, PartitionKey, PartitionRow, ReplicaEnds, ReplicaReport, SessionRequest_AddedMember,
  SessionRequest_LearnerProgress as LearnerProgress, SessionResponse_Push, ReplicaIdentity, TopicInfo
} from '../../wire/messages.ts'
import type { WireError } from '../../wire/errors.ts'
import type { Boot } from '../log/contract.ts'

/** Who this process is. */
export interface Self {
  readonly clusterName: string
  readonly clusterUid: string
  readonly brokerId: number
  readonly volumeId: string
  /** The volume's boot count. */
  readonly brokerEpoch: number
  /** 16 hex characters, random, new in each process. */
  readonly incarnation: string
  /** The openings that the volume remembers, this one first. */
  readonly boots: readonly Boot[]
  /** host:port that clients dial. */
  readonly clientAddress: string
  /** host:port that brokers and the operator dial. */
  readonly peerAddress: string
  /** What its node is in, by which replicas are spread; empty: not known. `advertise` changes it. */
  rack: string
  /** Where clients of other listeners dial; `advertise` changes it. */
  listeners: readonly ListenerAddress[]
}

/** What this broker knows of the cluster, from pushes and from rows that peers sent. Never goes back. */
export interface ClusterView {
  readonly controllerEpoch: number
  /** Broker id, -1 for none known. */
  readonly controller: number
  /** Peer address of the controller, empty for none known. */
  readonly controllerAddress: string
  /** False until the first full push of this process. */
  readonly loaded: boolean
  broker (brokerId: number): BrokerInfo | undefined
  /** In order of broker id. */
  brokers (): readonly BrokerInfo[]
  topicByName (name: string): TopicInfo | undefined
  topicById (topicId: string): TopicInfo | undefined
  /** In order of name. */
  topics (): readonly TopicInfo[]
  row (topicId: string, partition: number): PartitionRow | undefined
  /** In order of partition; empty for an unknown topic. */
  rows (topicId: string): readonly PartitionRow[]
  /** A row that a peer sent: kept if newer than the one known. */
  adoptRow (row: PartitionRow): void
}

/** A broker's replicas, as its session sees them. Implemented by partition/host.ts. */
export interface LocalReplicas {
  /** One report per replica on the volume, for registering. */
  reports (): ReplicaReport[]
  /** Answers to an election's question, in the order of the keys. */
  ends (keys: readonly PartitionKey[]): ReplicaEnds[]
  /**
   * News from the controller, after the view has taken it in. Rows may be older than what a replica
   * has adopted: those are to be ignored. A full push also tells which replicas no row names.
   */
  apply (push: SessionResponse_Push): void
  /** Partitions led here that lack replication streams from minInSync members for 3 s. */
  starved (): PartitionKey[]
  /** Broker ids that replication from here cannot reach. */
  unreachable (): number[]
  /** How far the learners of partitions led here are; learnersPerReportMax at most, others the next time. */
  learnerProgress (): LearnerProgress[]
}

export interface InSyncRequest {
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly version: number
  readonly inSync: readonly ReplicaIdentity[]
  readonly added: readonly SessionRequest_AddedMember[]
}

export type ChangeDone = (error: WireError | undefined, row: PartitionRow | undefined) => void

/** A broker's bond with the controller, as its replicas see it. Implemented by agent.ts. */
export interface ControllerLink {
  readonly self: Self
  readonly view: ClusterView
  /**
   * Asks for another in-sync set. `done` is called at most once, with the row as it stands or an error; never
   * when the session breaks. Whatever it says, only a row with a higher version ends a pending change.
   */
  changeInSync (request: InSyncRequest, done: ChangeDone): void
  /** Replicas made, damaged or removed since registering. */
  reportReplicas (reports: readonly ReplicaReport[]): void
}
