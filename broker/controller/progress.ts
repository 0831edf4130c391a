// How far learners are, as their leaders said last. In memory alone: it only tells people.
import type { PartitionRow, SessionRequest_LearnerProgress } from '../../wire/messages.ts'
import type { Clock } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import { partitionKeyText } from '../row.ts'

interface Entry {
  readonly leader: number
  readonly leaderEpoch: number
  readonly bytesLeft: number
  readonly at: number
}

/** What nobody knows yet. */
export const bytesUnknown = -1

export class ProgressBook {
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  #prunedAt = -Infinity

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** @param leader broker id of the sender */
  note (leader: number, learners: readonly SessionRequest_LearnerProgress[]): void {
    const at = this.#clock.now()
    this.#prune(at)
    for (const learner of learners) {
      const key = keyOf(learner.topicId, learner.partition, learner.brokerId)
      if (this.#entries.size >= limits.learnersRememberedMax && !this.#entries.has(key)) return
      this.#entries.set(key, { leader, leaderEpoch: learner.leaderEpoch, bytesLeft: learner.bytesLeft, at })
    }
  }

  /** What the added replicas of a move still have to get; -1 while that is not known of each. */
  bytesLeft (row: PartitionRow): number {
    let sum = 0
    for (const brokerId of row.adding) {
      if (row.inSync.some(member => member.brokerId === brokerId)) continue
      const entry = this.#entries.get(keyOf(row.topicId, row.partition, brokerId))
      const isFresh = entry !== undefined && this.#clock.now() - entry.at < limits.progressExpiryMs
      if (!isFresh || entry.leader !== row.leader || entry.leaderEpoch !== row.leaderEpoch) return bytesUnknown
      sum += entry.bytesLeft
    }
    return sum
  }

  #prune (now: number): void {
    if (now - this.#prunedAt < limits.progressExpiryMs) return
    this.#prunedAt = now
    for (const [key, entry] of this.#entries) {
      if (now - entry.at >= limits.progressExpiryMs) this.#entries.delete(key)
    }
  }
}

function keyOf (topicId: string, partition: number, brokerId: number): string {
  return `${partitionKeyText(topicId, partition)}/${brokerId}`
}
