// The records of __groups. Key and value are JSON: small, readable with `millrace consume __groups`,
// and open to more fields.
//
// key ["offset",1,group,topicId,partition]   value {topic, offset, leaderEpoch, metadata, committedAt,
//                                            member, epoch, sequence}; no value: forgotten
// key ["group",1,group]                      value {after, epoch, members, gone, emptyAt, deleted}
// key ["queue",1,group,topicId,partition]    a step of a queue group, see queue-records.ts
// key ["snapshot",1,asOf]                    value {entries: [[key, value], ...], last}
import { BatchBuilder } from '../../wire/batch-builder.ts'
import { decodeRecords } from '../../wire/batch-reader.ts'
import { utf8 } from '../../wire/bytes.ts'
import type { GroupAssignor, QueueSettings } from '../../wire/messages.ts'
import type { BatchHeader } from '../../wire/record-batch.ts'
import type { QueueStep } from './queue-records.ts'
import { packStep, unpackStep } from './queue-records.ts'

/** 'topicId/partition'. */
export type PartitionName = string

export function nameOf (topicId: string, partition: number): PartitionName {
  return `${topicId}/${partition}`
}

export function placeOf (name: PartitionName): { readonly topicId: string, readonly partition: number } {
  const at = name.lastIndexOf('/')
  return { topicId: name.slice(0, at), partition: Number(name.slice(at + 1)) }
}

/** What a group says of one partition: the next offset to read, and who said so. */
export interface GroupOffset {
  readonly group: string
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  /** ms since 1970. */
  readonly committedAt: number
  /** Empty: no member, but a reader that chose its partitions itself, or a person. */
  readonly member: string
  /** The epoch of the member when it committed. */
  readonly epoch: number
  /** Counts the member's commits; 0: not counted. */
  readonly sequence: number
}

/** What a member asked for when it joined. */
export interface MemberWish {
  readonly id: string
  readonly instanceId: string
  readonly rack: string
  readonly client: string
  /** In order of name, each once. */
  readonly topics: readonly string[]
  readonly assignor: GroupAssignor
  readonly sessionTimeoutMs: number
  readonly instanceGraceMs: number
  readonly releaseTimeoutMs: number
  /** Undefined: it shares partitions, not records. */
  readonly queue: QueueSettings | undefined
}

export interface Member extends MemberWish {
  /** Of the group's last change that was one of this member. */
  readonly epoch: number
  /** What it may read and commit, each with the epoch in which it got it. */
  readonly held: ReadonlyMap<PartitionName, number>
}

/** One step of a group. It takes effect only on the state that it was made from. */
export interface GroupChange {
  readonly group: string
  /** The offset of the group's last change before this one, -1 for none. */
  readonly after: number
  readonly epoch: number
  /** Members as they are from now on; others stay. */
  readonly members: readonly Member[]
  readonly gone: readonly string[]
  /** When the last member went, ms since 1970; 0 while there are some, or were none. */
  readonly emptyAt: number
  /** The group is forgotten with its offsets, unless one was committed after emptyAt. */
  readonly deleted: boolean
}

export type GroupRecord =
  | { readonly kind: 'offset', readonly offset: GroupOffset }
  | { readonly kind: 'forget', readonly group: string, readonly topicId: string, readonly partition: number }
  | { readonly kind: 'change', readonly change: GroupChange }
  | { readonly kind: 'queue', readonly step: QueueStep }
  | {
    readonly kind: 'snapshot', readonly asOf: number, readonly records: readonly GroupRecord[], readonly last: boolean
  }

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
type Pair = readonly [key: Json, value: Json]

const formatVersion = 1
const decoder = new TextDecoder('utf-8', { fatal: true })
/** Bytes of one batch of records, below every limit of a batch. */
export const recordBatchBytesMax = 256 * 1024

// Encoding

/** [topicId, epoch, first, last, first, last, ...] for each topic and epoch. */
function packHeld (held: ReadonlyMap<PartitionName, number>): Json {
  const lists = new Map<string, { topicId: string, epoch: number, partitions: number[] }>()
  for (const [name, epoch] of held) {
    const { topicId, partition } = placeOf(name)
    const list = lists.get(`${topicId} ${epoch}`) ?? { topicId, epoch, partitions: [] }
    list.partitions.push(partition)
    lists.set(`${topicId} ${epoch}`, list)
  }
  return [...lists.values()].map(({ topicId, epoch, partitions }) => [topicId, epoch, ...ranges(partitions)])
}

function ranges (partitions: number[]): number[] {
  const found: number[] = []
  for (const partition of partitions.sort((a, b) => a - b)) {
    if (found.length > 0 && found.at(-1) === partition - 1) found[found.length - 1] = partition
    else found.push(partition, partition)
  }
  return found
}

function packMember ({ held, topics, queue, ...rest }: Member): Json {
  return { ...rest, topics: [...topics], held: packHeld(held), ...queue !== undefined && { queue: { ...queue } } }
}

function pair (record: GroupRecord): Pair {
  switch (record.kind) {
    case 'offset': {
      const { group, topicId, partition, ...value } = record.offset
      return [['offset', formatVersion, group, topicId, partition], value]
    }
    case 'forget': return [['offset', formatVersion, record.group, record.topicId, record.partition], null]
    case 'change': {
      const { group, members, gone, ...value } = record.change
      return [['group', formatVersion, group], { ...value, gone: [...gone], members: members.map(packMember) }]
    }
    case 'queue': {
      const { group, topicId, partition } = record.step
      return [['queue', formatVersion, group, topicId, partition], packStep(record.step)]
    }
    case 'snapshot': return [['snapshot', formatVersion, record.asOf],
      { entries: record.records.map(pair), last: record.last }]
  }
}

/** Bytes of the record's value, about. */
export function sizeOf (record: GroupRecord): number {
  return JSON.stringify(pair(record)).length
}

/** As few batches as hold all of the records, in order; a record larger than a batch has one of its own. */
export function encode (records: Iterable<GroupRecord>, timestamp: number): Uint8Array[] {
  const finished: Uint8Array[] = []
  let builder = new BatchBuilder(1024)
  for (const record of records) {
    const [key, value] = pair(record)
    const keyBytes = utf8(JSON.stringify(key))
    const body = value === null ? null : utf8(JSON.stringify(value))
    if (builder.count > 0 && builder.sizeWith(keyBytes.length, body?.length ?? 0, 1) > recordBatchBytesMax) {
      finished.push(builder.finish())
      builder = new BatchBuilder(recordBatchBytesMax)
    }
    builder.append(timestamp, keyBytes, body)
  }
  if (builder.count > 0) finished.push(builder.finish())
  return finished
}

// Decoding

export interface LoggedRecord {
  readonly offset: number
  /** Undefined: of a kind or version that is not known here, passed over. */
  readonly record: GroupRecord | undefined
}

export function decode (bytes: Uint8Array, header: BatchHeader): LoggedRecord[] {
  return decodeRecords(bytes, header).map(({ offset, key, value }) => ({ offset, record: decodeOne(key, value) }))
}

function decodeOne (key: Uint8Array | null, value: Uint8Array | null): GroupRecord | undefined {
  try {
    if (key === null) return undefined
    return unpair(JSON.parse(decoder.decode(key)), value === null ? null : JSON.parse(decoder.decode(value)))
  } catch (error) {
    // Not ours: anything else in the log is as unknown as a later kind of record.
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}

function unpair (key: unknown, value: unknown): GroupRecord | undefined {
  if (!Array.isArray(key) || key[1] !== formatVersion) return undefined
  const [kind, , name, topicId, partition] = key as unknown[]
  if (kind === 'offset' && typeof name === 'string' && typeof topicId === 'string' && isCount(partition)) {
    if (value === null) return { kind: 'forget', group: name, topicId, partition }
    const offset = unpackOffset(value, name, topicId, partition)
    return offset === undefined ? undefined : { kind: 'offset', offset }
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (kind === 'group' && typeof name === 'string') {
    const change = unpackChange(value as Record<string, unknown>, name)
    return change === undefined ? undefined : { kind: 'change', change }
  }
  if (kind === 'queue' && typeof name === 'string' && typeof topicId === 'string' && isCount(partition)) {
    const step = unpackStep(value as Record<string, unknown>)
    return step === undefined ? undefined : { kind: 'queue', step: { ...step, group: name, topicId, partition } }
  }
  const { entries, last } = value as Record<string, unknown>
  if (kind !== 'snapshot' || !isCount(name) || !Array.isArray(entries) || typeof last !== 'boolean') return undefined
  const records = (entries as [unknown, unknown][]).map(([key, value]) => unpair(key, value))
  return { kind: 'snapshot', asOf: name, records: records.filter(record => record !== undefined), last }
}

function unpackOffset (value: unknown, group: string, topicId: string, partition: number): GroupOffset | undefined {
  const fields = value as Record<string, unknown>
  const { topic, offset, leaderEpoch, metadata, committedAt, member, epoch, sequence } = fields
  const sound = typeof topic === 'string' && isCount(offset) && Number.isSafeInteger(leaderEpoch) &&
    typeof metadata === 'string' && isCount(committedAt) && typeof member === 'string' && isCount(epoch) &&
    isCount(sequence)
  if (!sound) return undefined
  return {
    group, topic, topicId, partition, offset, leaderEpoch: leaderEpoch as number, metadata, committedAt, member, epoch,
    sequence
  }
}

function unpackChange (value: Record<string, unknown>, group: string): GroupChange | undefined {
  const { after, epoch, members, gone, emptyAt, deleted } = value
  const sound = Number.isSafeInteger(after) && isCount(epoch) && Array.isArray(members) && Array.isArray(gone) &&
    isCount(emptyAt) && typeof deleted === 'boolean'
  if (!sound) return undefined
  return {
    group, after: after as number, epoch, gone: gone as string[], emptyAt, deleted,
    members: (members as (Omit<Member, 'held'> & { held: Json[][] })[])
      .map(member => ({ ...member, queue: member.queue, held: unpackHeld(member.held) }))
  }
}

function unpackHeld (lists: readonly (readonly Json[])[]): Map<PartitionName, number> {
  const held = new Map<PartitionName, number>()
  for (const [topicId, epoch, ...bounds] of lists) {
    for (let index = 0; index < bounds.length; index += 2) {
      for (let partition = bounds[index] as number; partition <= (bounds[index + 1] as number); partition++) {
        held.set(nameOf(topicId as string, partition), epoch as number)
      }
    }
  }
  return held
}

function isCount (value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
