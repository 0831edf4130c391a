// What each topic brings to this broker, for metrics: counted per batch, put together when somebody scrapes.
import * as limits from '../limits.ts'
import type { ReplicaLog } from '../log/contract.ts'

/** Counters, of partitions that are led here. */
export interface TopicCounts {
  records: number
  bytes: number
  fetchedBytes: number
}

export interface TopicLoad extends Readonly<TopicCounts> {
  readonly topic: string
  /** Bytes of the topic's logs on this volume, led here or not. */
  readonly storedBytes: number
}

export class TopicCounters {
  readonly #counts = new Map<string, TopicCounts>()

  of (topic: string): TopicCounts {
    let counts = this.#counts.get(topic)
    if (counts === undefined) this.#counts.set(topic, counts = { records: 0, bytes: 0, fetchedBytes: 0 })
    return counts
  }

  /** Topics without a replica here are forgotten. limits.topicSeriesMax of them at most, the first by name. */
  loads (replicas: Iterable<Pick<ReplicaLog, 'topic' | 'sizeBytes'>>): TopicLoad[] {
    const stored = new Map<string, number>()
    for (const { topic, sizeBytes } of replicas) stored.set(topic, (stored.get(topic) ?? 0) + sizeBytes)
    for (const topic of this.#counts.keys()) if (!stored.has(topic)) this.#counts.delete(topic)
    return [...stored.keys()].sort().slice(0, limits.topicSeriesMax)
      .map(topic => ({ topic, ...this.of(topic), storedBytes: stored.get(topic)! }))
  }
}
