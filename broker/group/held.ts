// Partitions that members hold, as they go over the wire.
import type { HeldPartitions } from '../../wire/messages.ts'
import type { PartitionName } from './records.ts'
import { placeOf } from './records.ts'

/** By topic. */
export function toHeld (held: Iterable<readonly [PartitionName, number]>,
  topicName: (topicId: string) => string): HeldPartitions[] {
  const topics = new Map<string, HeldPartitions>()
  for (const [name, epoch] of held) {
    const { topicId, partition } = placeOf(name)
    let topic = topics.get(topicId)
    if (topic === undefined) {
      topic = { topic: topicName(topicId), topicId, partitions: [], epochs: [] }
      topics.set(topicId, topic)
    }
    topic.partitions.push(partition)
    topic.epochs.push(epoch)
  }
  return [...topics.values()]
}
