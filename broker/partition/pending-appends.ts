// Appended batches whose producers wait for the commit, in order of their offsets.
import type { WireError } from '../../wire/errors.ts'
import type { AppendDone } from './contract.ts'
import { countError } from './stats.ts'
import type { PartitionStats } from './stats.ts'

interface PendingAppend {
  /** Answered when the high watermark reaches it; never below the one before: answers keep the order. */
  readonly end: number
  readonly baseOffset: number
  readonly leaderEpoch: number
  readonly bytes: number
  readonly appendedMs: number
  /** A refusal that waits for its turn only. */
  readonly error: WireError | undefined
  readonly done: AppendDone
}

const compactAt = 256

export class PendingAppends {
  readonly #stats: PartitionStats
  #items: (PendingAppend | undefined)[] = []
  #head = 0

  constructor (stats: PartitionStats) {
    this.#stats = stats
  }

  get length (): number { return this.#items.length - this.#head }

  /** Waits until everything below `end` is committed. */
  add (end: number, baseOffset: number, leaderEpoch: number, bytes: number, nowMs: number, done: AppendDone): void {
    const last = this.#items.at(-1)
    this.#push({
      end: this.length > 0 && last !== undefined ? Math.max(end, last.end) : end,
      baseOffset,
      leaderEpoch,
      bytes,
      appendedMs: nowMs,
      error: undefined,
      done
    })
  }

  /** Refuses a batch: after those before it have got their answers. */
  refuse (error: WireError, done: AppendDone): void {
    countError(this.#stats, error.code)
    const last = this.#items.at(-1)
    if (this.length === 0 || last === undefined) {
      done(error, -1, -1)
      return
    }
    this.#push({ end: last.end, baseOffset: -1, leaderEpoch: -1, bytes: 0, appendedMs: 0, error, done })
  }

  /** Answers everything below `highWatermark`. */
  committed (highWatermark: number, nowMs: number): void {
    while (this.#head < this.#items.length) {
      const item = this.#items[this.#head]!
      if (item.end > highWatermark) break
      this.#shift(item)
      if (item.error !== undefined) {
        item.done(item.error, -1, -1)
        continue
      }
      this.#stats.commitLatency.observe(nowMs - item.appendedMs)
      item.done(undefined, item.baseOffset, item.leaderEpoch)
    }
  }

  /** Answers everything: whether it is committed is not known. */
  fail (error: WireError): void {
    while (this.#head < this.#items.length) {
      const item = this.#items[this.#head]!
      this.#shift(item)
      if (item.error === undefined) countError(this.#stats, error.code)
      item.done(item.error ?? error, -1, -1)
    }
  }

  #push (item: PendingAppend): void {
    this.#items.push(item)
    this.#stats.pendingAppends++
    this.#stats.pendingBytes += item.bytes
  }

  #shift (item: PendingAppend): void {
    this.#stats.pendingAppends--
    this.#stats.pendingBytes -= item.bytes
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head >= compactAt && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }
}
