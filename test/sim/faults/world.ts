// What faults work on, and what they know of each other: together they never do more than the promises bear.
import type { PartitionRow } from '../../../broker/row.ts'
import type { SimBroker } from '../broker.ts'
import type { SimCluster } from '../cluster.ts'
import type { Coverage } from '../coverage.ts'
import type { KubeStore } from '../kube-store.ts'
import type { SimOperator } from '../operator.ts'
import type { SimRng } from '../rng.ts'
import type { Topics } from '../topics.ts'
import type { FaultKind } from './kinds.ts'

/** What may be done to clients, and whom the nemesis tells. */
export interface Victims {
  /** Host names of clients. */
  readonly hosts: readonly string[]
  /** Kills one client and starts another in its place. */
  restartOne (rng: SimRng): void
  /** Told before tables are lost or taken back. */
  tablesHarmed (): void
}

export interface FaultWorld {
  readonly cluster: SimCluster
  /** Of the strike that is being carried out, or was last. */
  rng: SimRng
  readonly coverage: Coverage
  readonly victims: Victims
  readonly operator: SimOperator
  readonly topics: Topics
  /** By 'topicId-partition': the newest row, which brokers a person has named as lost; told whom to lead. */
  readonly rows: {
    readonly latest: ReadonlyMap<string, PartitionRow>
    readonly ordered: Map<string, readonly number[]>
    wantLeader (key: string, leader: number): void
  }
  /** A smaller in-sync set could be lost whole by what else is in the plan. */
  readonly minInSyncMin: number
  /** The run has broken a promise. */
  failed (kind: string, message: string): void
  readonly backups: ReturnType<KubeStore['backup']>[]
  /** Cuts that were made and not healed. */
  cuts: number
  /** What has struck so far, by kind. */
  readonly counts: ReadonlyMap<FaultKind, number>
  /** Nothing strikes before. */
  calmUntilMs: number
  /** The one broker whose disk may lose what it acknowledged: all others together still hold everything. */
  unlucky: SimBroker | undefined
  /** The broker that is to be empty, and goes then. */
  draining: SimBroker | undefined
  /** `undo` runs after so long, unless everything is healed before. */
  until (durationMs: number, undo: () => void): void
}

/** False when it could not be done now. */
export type Fault = (world: FaultWorld, broker: SimBroker) => boolean

/** Is `broker` the one whose disk may be harmed? The first that is asked for is it from then on. */
export function mayHarmDisk (world: FaultWorld, broker: SimBroker): boolean {
  world.unlucky ??= broker
  return world.unlucky === broker
}
