// Partitions that a member of a group holds, and how they go over the wire.
import type { HeldPartitions } from '../wire/messages.ts'

/** A partition that the member may read, from the epoch on in which it got it. */
export interface Held {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly epoch: number
}

export function keyOf ({ topicId, partition }: Held): string {
  return `${topicId}/${partition}`
}

export function pack (held: readonly Held[]): HeldPartitions[] {
  const topics = new Map<string, HeldPartitions>()
  for (const { topic, topicId, partition, epoch } of held) {
    const list = topics.get(topicId) ?? { topic, topicId, partitions: [], epochs: [] }
    list.partitions.push(partition)
    list.epochs.push(epoch)
    topics.set(topicId, list)
  }
  return [...topics.values()]
}

export function unpack (lists: readonly HeldPartitions[]): Held[] {
  return lists.flatMap(({ topic, topicId, partitions, epochs }) =>
    partitions.map((partition, index) => ({ topic, topicId, partition, epoch: epochs[index] ?? 0 })))
}
