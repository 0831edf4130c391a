// Histories in which a person gave up committed records of a partition. Each of its lives is judged by itself: what
// was told and read until then, as if nothing of it needed to stay; and what is there now, without what was given up.
import type { Key, Operation, PollOperation, SendOperation } from '../check/history.ts'
import { unknown } from './incarnations.ts'
import type { StoredBatch } from './shadow-log.ts'

export interface GivenUp {
  readonly topicId: string
  readonly partition: number
  /** When the row was written with which it goes on. */
  readonly atMs: number
  /** What is committed below stays; of what lies from here on, these batches were committed. */
  readonly from: number
  readonly batches: readonly StoredBatch[]
  /** The epoch that it goes on in. */
  readonly leaderEpoch: number
}

function isOfBatches ({ batches }: GivenUp, offset: number, epoch: number): boolean {
  return batches.some((batch) => batch.base <= offset && offset <= batch.last && batch.epoch === epoch)
}

/** What clients did and saw of the partition before this was given up. */
export function beforeLoss (history: readonly Operation[], key: Key, loss: GivenUp): Operation[] {
  return history.flatMap((operation): Operation[] => {
    if (operation.startMs > loss.atMs) return []
    if (operation.kind === 'send') return operation.key === key ? [asOf(operation, loss.atMs)] : []
    return operation.kind === 'poll' && operation.records.some((record) => record.key === key) ? [operation] : []
  })
}

/** How far a reader is that has not begun anew since. */
interface Reading {
  /** The last offset of what it got last. */
  last: number
  /** It has read what was given up. */
  wasAhead: boolean
}

/** What is there now: sends that were answered before, with what may be gone, may be gone. */
export function afterLoss (history: readonly Operation[], key: Key, loss: GivenUp): Operation[] {
  const readings = new Map<string, Reading>()
  return history.flatMap((operation): Operation[] => {
    if (operation.kind === 'send' && operation.key === key && operation.outcome === 'ok') {
      const mayBeGone = operation.endMs <= loss.atMs && (operation.offset ?? 0) >= loss.from
      return [mayBeGone ? unknown(operation) : operation]
    }
    if (operation.kind !== 'poll' || !operation.records.some((record) => record.key === key)) return [operation]
    return readAfter(operation, loss, readings)
  })
}

/**
 * A poll is of one batch. A reader that had read on, or was about to, begins anew once, wherever that is: its offset
 * was given to another record. From then on it counts as another reader.
 */
function readAfter (poll: PollOperation, loss: GivenUp, readings: Map<string, Reading>): PollOperation[] {
  const { process, records, startMs, leaderEpoch = -1 } = poll
  const [first, last] = [records[0]!.offset, records.at(-1)!.offset]
  const isLate = startMs >= loss.atMs
  const reading = readings.get(process)
  if (first >= loss.from && (!isLate || isOfBatches(loss, first, leaderEpoch))) {
    readings.set(process, { last, wasAhead: true })
    return []
  }
  if (!isLate) {
    readings.set(process, { last, wasAhead: reading?.wasAhead === true })
    return [poll]
  }
  if (reading === undefined || (!reading.wasAhead && first === reading.last + 1)) {
    // It goes on, and may hear of another end.
    if (reading !== undefined) reading.last = last
    return [{ ...poll, ends: [] }]
  }
  reading.wasAhead = true
  return [{ ...poll, process: `${process} in epoch ${loss.leaderEpoch}` }]
}

/** Who began it did not know yet what was answered later. */
function asOf (send: SendOperation, atMs: number): SendOperation {
  return send.outcome === 'ok' && send.endMs > atMs ? unknown(send) : send
}
