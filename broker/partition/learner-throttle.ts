// How fast this broker fills up learners: replicas that nothing waits for. One token bucket for all of
// them, so that a move of many partitions leaves the network and the disks to those who produce.
import type { Clock, Timer } from '../../wire/ports.ts'
import * as limits from '../limits.ts'

/** A learner's subscription that waits for its turn. */
export interface Throttled {
  /** It may send one message of up to `messageBytes`; it settles for what it really sends. */
  admitted (): void
}

/** Tokens that gather while nobody wants any. */
const burstMs = 100
/** A learner hears something several times in a second, however many bytes one message could have. */
const messagesPerSecond = 8
const messageBytesMin = 64 * 1024

/**
 * The bucket fills with `bytesPerSecond`, and with what is appended to the partitions of learners while
 * they are behind: so that the learners together always gain bytesPerSecond on their leaders, however
 * much is produced, and every catching up ends. Turns go round, a message each.
 */
export class LearnerThrottle {
  readonly #clock: Clock
  #bytesPerSecond = 0
  #burstBytes = 0
  readonly nearBytes: number
  #messageBytes = 0
  /** Below zero when more was sent than there were. */
  #tokens: number
  #filledMs: number
  readonly #waiting = new Set<Throttled>()
  #timer: Timer | undefined

  /**
   * @param bytesPerSecond 0: no limit
   * @param nearBytes a learner with so little left goes on at once: it is about to be waited for
   */
  constructor (clock: Clock, bytesPerSecond: number, nearBytes = limits.learnerNearBytes) {
    this.nearBytes = nearBytes
    this.#clock = clock
    this.#filledMs = clock.now()
    this.#tokens = 0
    this.#set(bytesPerSecond)
    this.#tokens = this.#burstBytes
  }

  /** What one turn may send. */
  get messageBytes (): number { return this.#messageBytes }

  /** Another limit, from now on: 0 for none. Who waits goes on by it. */
  limit (bytesPerSecond: number): void {
    if (bytesPerSecond === this.#bytesPerSecond) return
    this.#fill()
    this.#set(bytesPerSecond)
    this.#tokens = Math.min(this.#tokens, this.#burstBytes)
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#waiting.size === 0) return
    if (bytesPerSecond === 0) this.#clock.defer(() => { this.#release() })
    else this.#schedule()
  }

  #set (bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond
    this.#messageBytes = bytesPerSecond === 0
      ? limits.fetchBytesPerMessageMax
      : Math.min(limits.fetchBytesPerMessageMax, Math.max(messageBytesMin, bytesPerSecond / messagesPerSecond))
    this.#burstBytes = Math.max(this.#messageBytes, bytesPerSecond * burstMs / 1000)
  }

  /** True: it may send a message now. False: `admitted` is called when its turn has come. */
  enter (learner: Throttled): boolean {
    if (this.#bytesPerSecond === 0) return true
    this.#fill()
    if (this.#waiting.size === 0 && this.#tokens > 0) {
      this.#tokens -= this.messageBytes
      return true
    }
    this.#waiting.add(learner)
    this.#schedule()
    return false
  }

  /** It waits no more: its subscription ended. */
  leave (learner: Throttled): void {
    this.#waiting.delete(learner)
  }

  /** A turn was used for so many bytes, 0 for none. */
  settle (bytes: number): void {
    this.take(bytes - this.messageBytes)
  }

  /** So many bytes were sent without a turn. */
  take (bytes: number): void {
    if (this.#bytesPerSecond === 0) return
    this.#fill()
    this.#tokens -= bytes
  }

  /** So many bytes more are to be sent to a learner. */
  appended (bytes: number): void {
    if (this.#bytesPerSecond === 0) return
    this.#fill()
    this.#tokens = Math.min(this.#tokens + bytes, Math.max(this.#tokens, this.#burstBytes + limits.learnerNearBytes))
    if (this.#waiting.size > 0) this.#schedule()
  }

  close (): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#waiting.clear()
  }

  #fill (): void {
    if (this.#bytesPerSecond === 0) this.#tokens = this.#burstBytes
    const now = this.#clock.now()
    const filled = this.#tokens + (now - this.#filledMs) * this.#bytesPerSecond / 1000
    this.#tokens = Math.max(this.#tokens, Math.min(filled, this.#burstBytes))
    this.#filledMs = now
  }

  #schedule (): void {
    if (this.#timer !== undefined && this.#tokens <= 0) return
    this.#timer?.cancel()
    const ms = Math.max(0, Math.ceil(-this.#tokens * 1000 / this.#bytesPerSecond)) + 1
    this.#timer = this.#clock.setTimer(ms, () => {
      this.#timer = undefined
      this.#release()
    })
  }

  #release (): void {
    this.#fill()
    for (const learner of this.#waiting) {
      if (this.#bytesPerSecond > 0 && this.#tokens <= 0) break
      this.#tokens -= this.messageBytes
      this.#waiting.delete(learner)
      learner.admitted()
    }
    if (this.#waiting.size > 0) this.#schedule()
  }
}
