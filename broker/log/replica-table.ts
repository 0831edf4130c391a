// All replicas of a volume as entries make them: loaded from a checkpoint, brought forward by the journal.
import { assert, unreachable } from '../assert.ts'
import { utf8 } from '../../wire/bytes.ts'
import { parseBatchHeader } from '../../wire/record-batch.ts'
import * as limits from '../limits.ts'
import { replicaKey } from './entry.ts'
import type { Entry, EntryWriter } from './entry.ts'
import { LogState, rowFromJson } from './log-state.ts'
import { Segment } from './segment.ts'

export interface ReplicaName {
  readonly topicId: string
  readonly partition: number
}

/** Removed replicas that are remembered; the oldest are forgotten. A topic id never comes back. */
const removedMax = 65_536

export function nameText ({ topicId, partition }: ReplicaName): string { return `${topicId}-${partition}` }

export class ReplicaTable {
  readonly logs = new Map<string, LogState>()
  readonly #removed = new Map<string, ReplicaName>()
  controllerEpoch = 0
  readonly #wallTime: number

  constructor (wallTime: number) { this.#wallTime = wallTime }

  knew (name: ReplicaName): boolean {
    return this.logs.has(nameText(name)) || this.#removed.has(nameText(name))
  }

  add (state: LogState): void {
    this.logs.set(nameText(state), state)
    this.#removed.delete(nameText(state))
  }

  remove (name: ReplicaName): void {
    this.logs.delete(nameText(name))
    this.#removed.set(nameText(name), { topicId: name.topicId, partition: name.partition })
    for (const oldest of this.#removed.keys()) {
      if (this.#removed.size <= removedMax) break
      this.#removed.delete(oldest)
    }
  }

  /** What belongs to no replica that is there. */
  writeTo (entries: EntryWriter): void {
    entries.controllerEpoch(this.controllerEpoch)
    for (const { topicId, partition } of this.#removed.values()) entries.removed(replicaKey(topicId, partition))
  }

  /** An entry of a checkpoint. */
  load (entry: Entry): void {
    if (entry.name === 'epoch') {
      this.#log(entry).epochs.push({ epoch: entry.epoch, startOffset: entry.startOffset })
    } else if (entry.name === 'state') {
      const { logStart, logEnd, highWatermark, leaderEpochSeen } = entry
      Object.assign(this.#log(entry), { logStart, logEnd, highWatermark, leaderEpochSeen })
    } else if (entry.name === 'segment') {
      this.#log(entry).segments.push(Segment.restore(entry.segment))
    } else if (entry.name === 'snapshot') {
      this.#log(entry).snapshots.push({ offset: entry.offset, bytes: undefined, atRoll: false })
    } else {
      this.apply(entry, undefined)
    }
  }

  /** All entries of the checkpoint are loaded. */
  loaded (): void {
    for (const state of this.logs.values()) state.restored()
  }

  /** An entry of the journal; `batch` for those that have one. */
  apply (entry: Entry, batch: Uint8Array | undefined): void {
    switch (entry.name) {
      case 'controllerEpoch': this.controllerEpoch = Math.max(this.controllerEpoch, entry.epoch); break
      case 'created': {
        const { topicId, partition, topic, replicaGen } = entry
        this.add(new LogState(topic, topicId, partition, replicaGen))
        break
      }
      case 'removed': this.remove(entry); break
      case 'batch': {
        assert(batch !== undefined, 'a batch entry has its batch')
        // Where segments begin need not be as it was: nothing of this is in a synced segment yet.
        this.#log(entry).append(batch, parseBatchHeader(batch, 0), 0,
          { segmentBytes: limits.segmentBytesDefault, segmentAgeMs: Infinity, wallTime: this.#wallTime }, false)
        break
      }
      case 'epoch': this.#log(entry).beginEpoch(entry.epoch, entry.startOffset); break
      case 'truncate': this.#log(entry).truncate(entry.offset, 0); break
      case 'reset': this.#log(entry).reset(entry.offset, 0); break
      case 'logStart': this.#log(entry).advanceLogStart(entry.offset); break
      case 'highWatermark': this.#log(entry).setHighWatermark(entry.offset); break
      case 'row': {
        const state = this.#log(entry)
        state.setRow(rowFromJson(entry.json), utf8(entry.json))
        break
      }
      case 'damaged': {
        const state = this.#log(entry)
        state.damaged = entry.replicaGen === 0 ? entry.reason : ''
        if (entry.replicaGen !== 0) state.replicaGen = entry.replicaGen
        break
      }
      case 'state': case 'segment': case 'snapshot':
        assert(false, `an entry '${entry.name}' in the journal`)
        break
      default: unreachable(entry)
    }
  }

  #log (name: ReplicaName): LogState {
    const state = this.logs.get(nameText(name))
    assert(state !== undefined, `an entry of replica ${nameText(name)}, which is not there`)
    return state
  }
}
