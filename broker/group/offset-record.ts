// The records of __groups. Key and value are JSON: small, readable with `millrace consume __groups`,
// and open to more fields.
//
// key:   ["offset", 1, group, topicId, partition]
// value: {"topic":..., "offset":..., "leaderEpoch":..., "metadata":..., "committedAt":...}
import type { CommittedOffset } from '../../wire/messages.ts'
import { BatchBuilder } from '../../wire/batch-builder.ts'
import { decodeRecords } from '../../wire/batch-reader.ts'
import { utf8 } from '../../wire/bytes.ts'
import type { BatchHeader } from '../../wire/record-batch.ts'

export interface GroupOffset {
  readonly group: string
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** The next offset to read. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  /** ms since 1970. */
  readonly committedAt: number
}

const formatVersion = 1
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Bytes of one batch of offset records, below every limit of a batch. */
export const offsetBatchBytesMax = 256 * 1024

/** As few batches as hold all of `offsets`, in order. */
export function encodeOffsets (offsets: Iterable<GroupOffset>, timestamp: number): Uint8Array[] {
  const finished: Uint8Array[] = []
  let builder = new BatchBuilder(1024)
  for (const entry of offsets) {
    const { group, topicId, partition, ...value } = entry
    const key = utf8(JSON.stringify(['offset', formatVersion, group, topicId, partition]))
    const body = utf8(JSON.stringify(value))
    if (builder.count > 0 && builder.sizeWith(key.length, body.length, 1) > offsetBatchBytesMax) {
      finished.push(builder.finish())
      builder = new BatchBuilder(offsetBatchBytesMax)
    }
    builder.append(timestamp, key, body)
  }
  if (builder.count > 0) finished.push(builder.finish())
  return finished
}

/** The offsets in one batch; records of kinds or versions that are not known here are passed over. */
export function decodeOffsets (bytes: Uint8Array, header: BatchHeader): GroupOffset[] {
  const found: GroupOffset[] = []
  for (const record of decodeRecords(bytes, header)) {
    if (record.key === null || record.value === null) continue
    const offset = decodeOffset(record.key, record.value)
    if (offset !== undefined) found.push(offset)
  }
  return found
}

function decodeOffset (key: Uint8Array, value: Uint8Array): GroupOffset | undefined {
  let fields: unknown
  let body: unknown
  try {
    fields = JSON.parse(decoder.decode(key))
    body = JSON.parse(decoder.decode(value))
  } catch {
    return undefined // Not ours: anything else in the log is as unknown as a later kind of record.
  }
  if (!Array.isArray(fields) || typeof body !== 'object' || body === null) return undefined
  const [kind, version, group, topicId, partition] = fields as unknown[]
  if (kind !== 'offset' || version !== formatVersion) return undefined
  const { topic, offset, leaderEpoch, metadata, committedAt } = body as Record<string, unknown>
  const sound = typeof group === 'string' && typeof topicId === 'string' && isCount(partition) &&
    typeof topic === 'string' && isCount(offset) && Number.isSafeInteger(leaderEpoch) &&
    typeof metadata === 'string' && isCount(committedAt)
  if (!sound) return undefined
  return { group, topic, topicId, partition, offset, leaderEpoch: leaderEpoch as number, metadata, committedAt }
}

function isCount (value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** As it goes over the wire. */
export function toCommitted (entry: GroupOffset): CommittedOffset {
  const { topic, topicId, partition, offset, leaderEpoch, metadata, committedAt } = entry
  return { topic, topicId, partition, offset, leaderEpoch, metadata, committedAt }
}
