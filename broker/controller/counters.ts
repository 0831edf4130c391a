// What a session agent and the controller count. The controller lives here, so both may import it.
/** Ever rising but the last two; for metrics. Those of the controller stand still in other brokers. */
export interface AgentCounters {
  /** Times this broker has registered with a controller. */
  registrations: number
  /** Times it has taken the office of controller. */
  takeovers: number
  /** Leaders elected, moved leaderships included. */
  elections: number
  /** Elections without a candidate: the partition stays without a leader. */
  electionsFailed: number
  inSyncChanges: number
  inSyncRefused: number
  brokersFenced: number
  /** Partitions that a person had recovered without their in-sync set: each may have lost records. */
  partitionsRecovered: number
  /** PartitionTable writes that landed. */
  tableWrites: number
  /** 409 answers. */
  tableConflicts: number
  apiRequests: number
  apiErrors: number
  /** Sum over all requests to the Kubernetes API. */
  apiLatencyMs: number
  pushes: number
  /** Gauge: brokers registered here, 0 when this broker is not the controller. */
  sessions: number
  /** Gauge: 1 while this broker is the controller. */
  isController: number
}

export function newCounters (): AgentCounters {
  return {
    registrations: 0,
    takeovers: 0,
    elections: 0,
    electionsFailed: 0,
    inSyncChanges: 0,
    inSyncRefused: 0,
    brokersFenced: 0,
    partitionsRecovered: 0,
    tableWrites: 0,
    tableConflicts: 0,
    apiRequests: 0,
    apiErrors: 0,
    apiLatencyMs: 0,
    pushes: 0,
    sessions: 0,
    isController: 0
  }
}
