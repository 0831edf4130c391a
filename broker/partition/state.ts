// One replica's own state, shared by the roles that it takes in turn.
import type { ReplicaLog } from '../log/contract.ts'
import type { ReplicaIdentity } from '../row.ts'
import type { ProducerStates } from './producer-state.ts'

export class ReplicaState {
  readonly log: ReplicaLog
  readonly identity: ReplicaIdentity
  readonly producers: ProducerStates
  /** More may be acknowledged than the log has told: a reset is durable now. */
  onSettled: (() => void) | undefined
  readonly #whenDurable: (callback: () => void) => void
  #highWatermark: number
  /** Resets that a crash could still undo. */
  #resets = 0

  constructor (log: ReplicaLog, identity: ReplicaIdentity, producers: ProducerStates,
    whenDurable: (callback: () => void) => void) {
    this.log = log
    this.identity = identity
    this.producers = producers
    this.#whenDurable = whenDurable
    this.#highWatermark = log.highWatermark
  }

  /**
   * Everything below is known to be committed. Carried over from role to role and never lowered: what a
   * leader of an earlier epoch said was committed then, is. log.highWatermark is the recorded one.
   */
  get highWatermark (): number { return this.#highWatermark }

  /** What this replica may vouch for, as leader or follower. */
  get durableEnd (): number {
    // A crash would bring back what the reset removed, an end below the offset that it began at.
    return this.#resets > 0 ? 0 : Math.min(this.log.durableEnd, this.log.logEnd)
  }

  /** Raises the high watermark. */
  commit (offset: number): void {
    if (offset <= this.#highWatermark) return
    this.#highWatermark = offset
    this.log.setHighWatermark(offset)
  }

  truncate (offset: number): void {
    this.log.truncate(offset)
    this.producers.truncate(offset)
  }

  /** Everything goes; the log goes on at `offset`, below which nothing is needed any more. */
  reset (offset: number): void {
    this.log.reset(offset)
    this.producers.clear()
    this.#highWatermark = Math.max(this.#highWatermark, offset)
    this.#resets++
    this.#whenDurable(() => {
      this.#resets--
      if (this.#resets === 0) this.onSettled?.()
    })
  }
}
