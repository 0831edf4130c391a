// What a SessionAgent is given, and what it counts. See agent.ts for the way it is used.
import type { Clock, Net, Rng } from '../../wire/ports.ts'
import type { Volume } from '../log/contract.ts'
import type { Kube, Log } from '../io/ports.ts'
import type { Self } from './contract.ts'

/** From the cluster's ConfigMap. */
export interface AgentSettings {
  /** How many brokers the cluster shall have; 1 at least. Internal topics wait for them, for a while. */
  readonly brokersExpected: number
}

export interface AgentOptions {
  readonly clock: Clock
  readonly rng: Rng
  readonly net: Net
  readonly kube: Kube
  readonly log: Log
  readonly volume: Pick<Volume, 'controllerEpoch' | 'setControllerEpoch' | 'fsyncAgeMs'>
  readonly self: Self
  readonly settings: AgentSettings
}

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
