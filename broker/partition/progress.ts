// What a leader knows of one follower, in this leader epoch only: a new epoch begins with nothing known.
import type { ReplicaIdentity } from '../row.ts'

export class Progress {
  readonly identity: ReplicaIdentity
  /** From its last subscription; -1 before the first. */
  brokerEpoch = -1
  /** Its durable end, said in this leader epoch; -1: unknown. A fetch offset is not an end. */
  end = -1
  /** It holds a subscription. */
  streaming = false
  /** When it last had everything that the leader had at that time. */
  caughtUpMs: number
  /** When it was last heard of. */
  heardMs: number
  /** The log end at targetMs: a follower that reaches it was caught up as of then. */
  #targetEnd = Infinity
  #targetMs = 0

  constructor (identity: ReplicaIdentity, nowMs: number) {
    this.identity = identity
    this.caughtUpMs = nowMs
    this.heardMs = nowMs
  }

  /** The follower said, in this leader epoch, that everything below `end` is fsynced. */
  acknowledge (end: number, logEnd: number, nowMs: number): void {
    this.end = end
    this.heardMs = nowMs
    if (end >= logEnd) this.caughtUpMs = nowMs
    else if (end >= this.#targetEnd) this.caughtUpMs = this.#targetMs
    if (end >= this.#targetEnd || this.#targetEnd === Infinity) {
      this.#targetEnd = logEnd
      this.#targetMs = nowMs
    }
  }

  /** Time passes: a follower with everything stays caught up without saying so again. */
  tick (logEnd: number, nowMs: number): void {
    if (this.streaming && this.end >= logEnd) this.caughtUpMs = nowMs
  }

  /** True when its stream brings what it should. */
  active (logEnd: number, nowMs: number, silentMsMax: number): boolean {
    return this.streaming && (this.end >= logEnd || nowMs - this.heardMs < silentMsMax)
  }
}
