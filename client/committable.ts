// What can be said to be finished.
import type { ConsumedBatch } from './consumed-batch.ts'
import type { ConsumerRecord, OffsetToCommit, TopicPartition } from './consumer-options.ts'
import { errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { PartitionOffset } from './offsets.ts'
import type { PartitionReader } from './partition-reader.ts'
import { commitOf } from './reader-set.ts'

/**
 * A record or a batch, with everything before it; a partition, as far as it was handed out; or offsets, each the
 * next one to read.
 */
export type Committable = ConsumerRecord<unknown, unknown> | ConsumedBatch<unknown, unknown> | TopicPartition |
  readonly OffsetToCommit[]

/** Offsets that a caller has chosen, and the readers that handed out what lies before them. */
export class Choice {
  readonly #readers = new Map<PartitionOffset, PartitionReader>()
  readonly #isMember: boolean

  /**
   * @param isMember partitions come and go
   * @throws MillraceError of `reader` for what is not read here, INVALID_REQUEST for what is no offset,
   * FENCED_MEMBER for a record of another time in which the member had the partition.
   */
  constructor (what: Committable, isMember: boolean, reader: (place: TopicPartition) => PartitionReader) {
    this.#isMember = isMember
    const isRead = 'lastOffset' in what || 'value' in what
    const all: readonly (TopicPartition & { offset?: number | undefined })[] =
      'topic' in what ? [{ topic: what.topic, partition: what.partition, offset: nextOf(what) }] : what
    for (const each of all) {
      const from = reader(each)
      const { offset = from.position } = each
      // Nothing was handed out: it is not even known where it begins.
      if (each.offset === undefined && offset < 0) continue
      if (!Number.isSafeInteger(offset) || offset < 0) {
        throw errorOf('INVALID_REQUEST', `${offset} is no offset to commit`, { topic: each.topic })
      }
      // This member may have had it before, have lost it, and have it again: others have committed more meanwhile.
      if (isMember && isRead && (from.first < 0 || offset <= from.first)) throw isAnothers(each)
      this.#readers.set({ ...each, ...commitOf(from, offset) }, from)
    }
  }

  /** Those whose reader is still there: the others were lost, though they may have come again. */
  offsets (current: (place: TopicPartition) => PartitionReader | undefined): PartitionOffset[] {
    return [...this.#readers.keys()].filter(place => !this.#isMember || current(place) === this.#readers.get(place))
  }

  /** @throws MillraceError FENCED_MEMBER unless `offsets` are all that was chosen. */
  check (offsets: readonly PartitionOffset[]): void {
    for (const place of this.#readers.keys()) if (!offsets.includes(place)) throw isAnothers(place)
  }
}

export function isAnothers (place: TopicPartition): MillraceError {
  return errorOf('FENCED_MEMBER', `${place.topic}/${place.partition} is another member's now`, place)
}

/** The offset behind it; undefined for a partition as a whole. */
function nextOf (what: Exclude<Committable, readonly OffsetToCommit[]>): number | undefined {
  if ('lastOffset' in what) return what.lastOffset + 1
  if ('value' in what) return what.offset + 1
  return 'offset' in what ? what.offset as number : undefined
}
