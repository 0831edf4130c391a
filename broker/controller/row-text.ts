// One row of a PartitionTable as text, fields parted by one space:
//
//   topic partition replicas leader leaderEpoch inSync version minInSync [+adding] [-removing] [!barred]
//   0     3         1,2,0    1      7           4,5,6  12      2         +3        -0          !7
//
// `topic` and the members of `inSync` and `barred` are indexes into the table's `topics` and `identities`; replicas,
// leader, adding and removing are broker ids; a row without a leader has '-'. About 30 bytes a row: a
// thousand partitions are one small object. A golden test pins it.
import type { PartitionRow, ReplicaIdentity } from '../../wire/messages.ts'
import { replicasMax } from '../limits.ts'
import { nobody } from '../row.ts'

const list = '\\d{1,10}(?:,\\d{1,10})*'
const pattern = new RegExp(`^(\\d{1,6}) (\\d{1,6}) (${list}) (\\d{1,10}|-) (\\d{1,16}) (${list}) ` +
  `(\\d{1,16}) (\\d{1,2})(?: \\+(${list}))?(?: -(${list}))?(?: !(${list}))?$`)

/** A table that does not read: edited by hand, or written by another version. */
export class TableFormatError extends Error {
  override readonly name = 'TableFormatError'
}

export interface RowReferences {
  /** topicId by index. */
  readonly topics: readonly string[]
  readonly identities: readonly ReplicaIdentity[]
}

export function encodeRow (row: PartitionRow, topic: number, identityIndex: (id: ReplicaIdentity) => number): string {
  const leader = row.leader === nobody ? '-' : row.leader
  const inSync = row.inSync.map(identityIndex).join(',')
  const text = `${topic} ${row.partition} ${row.replicas.join(',')} ${leader} ${row.leaderEpoch} ${inSync} ` +
    `${row.version} ${row.minInSync}`
  return text + (row.adding.length > 0 ? ` +${row.adding.join(',')}` : '') +
    (row.removing.length > 0 ? ` -${row.removing.join(',')}` : '') +
    (row.barred.length > 0 ? ` !${row.barred.map(identityIndex).join(',')}` : '')
}

/** Throws TableFormatError. */
export function decodeRow (text: string, references: RowReferences): PartitionRow {
  const match = pattern.exec(text)
  if (match === null) throw new TableFormatError(`not a row: '${text.slice(0, 100)}'`)
  const [, topic, partition, replicas, leader, epoch, inSync, version, minInSync, adding, removing, barred] = match
  const topicId = references.topics[Number(topic)]
  if (topicId === undefined) {
    throw new TableFormatError(`row '${text}' names topic ${topic} of ${references.topics.length}`)
  }
  const identity = (index: number): ReplicaIdentity => {
    const found = references.identities[index]
    if (found === undefined) throw new TableFormatError(`row '${text}' names identity ${index}`)
    return found
  }
  return {
    topicId,
    partition: Number(partition),
    replicas: numbers(replicas),
    leader: leader === '-' ? nobody : safe(leader),
    leaderEpoch: safe(epoch),
    inSync: numbers(inSync).map(identity),
    version: safe(version),
    minInSync: Number(minInSync),
    adding: numbers(adding),
    removing: numbers(removing),
    barred: numbers(barred).map(identity)
  }
}

function numbers (text: string | undefined): number[] {
  if (text === undefined) return []
  const parts = text.split(',').map(Number)
  // Learners and members that a reassignment swaps lie side by side for a while: twice the replicas.
  if (parts.length > 2 * replicasMax) throw new TableFormatError(`a list of ${parts.length}`)
  return parts
}

function safe (text: string | undefined): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new TableFormatError(`not a number: '${text}'`)
  return number
}
