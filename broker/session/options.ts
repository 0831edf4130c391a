// What a SessionAgent is given. See agent.ts for the way it is used.
import type { WireError } from '../../wire/errors.ts'
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
  readonly volume: Pick<Volume, 'controllerEpoch' | 'setControllerEpoch' | 'fsyncAgeMs' | 'full' | 'lowMs' |
    'renewVolumeId'>
  readonly self: Self
  readonly settings: AgentSettings
  /** The process must end: its volume has another identity since, or has failed. Called once. */
  renewed (error: WireError): void
}
