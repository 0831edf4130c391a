// What can be said to be finished.
import type { ConsumedBatch } from './consumed-batch.ts'
import type { ConsumerRecord, OffsetToCommit, TopicPartition } from './consumer-options.ts'
import { errorOf } from './errors.ts'
import type { PartitionOffset } from './offsets.ts'
import type { PartitionReader } from './partition-reader.ts'
import { partitionOf } from './reader-set.ts'

/**
 * A record or a batch, with everything before it; a partition, as far as it was handed out; or offsets, each the
 * next one to read.
 */
export type Committable = ConsumerRecord<unknown, unknown> | ConsumedBatch<unknown, unknown> | TopicPartition |
  readonly OffsetToCommit[]

/** @throws MillraceError of `reader` for what is not read here, INVALID_REQUEST for what is no offset. */
export function offsetsOf (what: Committable, reader: (place: TopicPartition) => PartitionReader): PartitionOffset[] {
  const all: readonly (TopicPartition & { offset?: number | undefined })[] =
    'topic' in what ? [{ topic: what.topic, partition: what.partition, offset: nextOf(what) }] : what
  return all.flatMap((each): PartitionOffset[] => {
    const from = reader(each)
    const { offset = from.position } = each
    // Nothing was handed out: it is not even known where it begins.
    if (each.offset === undefined && offset < 0) return []
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw errorOf('INVALID_REQUEST', `${offset} is no offset to commit`, { topic: each.topic })
    }
    return [{ ...each, ...partitionOf(from), offset }]
  })
}

/** The offset behind it; undefined for a partition as a whole. */
function nextOf (what: Exclude<Committable, readonly OffsetToCommit[]>): number | undefined {
  if ('lastOffset' in what) return what.lastOffset + 1
  if ('value' in what) return what.offset + 1
  return 'offset' in what ? what.offset as number : undefined
}
