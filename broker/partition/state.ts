// One replica's own state, shared by the roles that it takes in turn.
import type { ReplicaLog } from '../log/contract.ts'
import type { ReplicaIdentity } from '../row.ts'
import type { ProducerStates } from './producer-state.ts'

export interface ReplicaState {
  readonly log: ReplicaLog
  readonly identity: ReplicaIdentity
  readonly producers: ProducerStates
  /**
   * Everything below is known to be committed. Carried over from role to role and never lowered: what a
   * leader of an earlier epoch said was committed then, is. log.highWatermark is the recorded one.
   */
  highWatermark: number
}
