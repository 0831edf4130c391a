// What the observer knows of one replica, over all its incarnations, and of one partition.
import type { ReplicaLog, Volume } from '../../broker/log/contract.ts'
import type { Replica } from '../../broker/partition/replica.ts'
import type { PartitionRow } from '../../broker/row.ts'
import { SimFailure } from './failure.ts'
import { ShadowLog } from './shadow-log.ts'
import type { StoredBatch } from './shadow-log.ts'

export class ReplicaRecord {
  readonly name: string
  readonly volumeId: string
  readonly shadow = new ShadowLog()
  /** False while the contents of a recovered log are still being read. */
  known = true
  /** Removed by order, or moved to stray/. */
  gone = false
  /** The last seen; stays when the process dies. */
  durableEnd = 0
  highWatermark = 0
  /** The epoch that it serves in as leader, -1 for none. */
  leads = -1
  /** It has begun to lead: everything committed must be here. */
  mustHoldAll = false
  dirty = false
  /** Looked up when it was checked first. */
  partition: PartitionRecord | undefined
  /** Whose state was checked last. */
  replica: Replica | undefined
  /** Its disk gave back less than it had acknowledged: harm was done to it. It must never lead again. */
  suspect = false
  /** It holds what a person gave up from this offset on, and is to find out; Infinity: no. */
  outdatedFrom = Infinity
  /** Compared with what is committed up to here. */
  verifiedEnd = 0
  /** The last row that its disk is sure to hold. */
  rowDurable: PartitionRow | undefined
  /** Resets that a crash would undo. */
  resets = 0
  /** Truncations and resets. */
  cuts = 0
  #epochSeen = -1
  #epochDurable = -1
  #volume: Volume | undefined
  #appendedWhileLoading: StoredBatch[] = []

  constructor (name: string, volumeId: string) {
    this.name = name
    this.volumeId = volumeId
  }

  attach (log: ReplicaLog, volume: Volume): void {
    this.#volume = volume
    this.#epochSeen = -1
    this.highWatermark = 0
    this.durableEnd = log.durableEnd
    this.resets = 0
    this.rowDurable = log.row
    this.sawEpoch(log.leaderEpochSeen)
    this.known = log.logEnd === log.logStart
    this.#appendedWhileLoading = []
    if (this.known) this.shadow.reset(log.logStart)
    this.verifiedEnd = 0
    this.dirty = true
    this.replica = undefined
  }

  /** Has nothing that the observer judges changed since it was checked? */
  isAsChecked (log: ReplicaLog): boolean {
    if (this.replica === undefined || this.dirty || this.resets > 0) return false
    const { leader, state } = this.replica
    return state.highWatermark === this.highWatermark && log.durableEnd === this.durableEnd &&
      log.leaderEpochSeen === this.#epochSeen && (leader?.ready === true ? leader.epoch : -1) === this.leads
  }

  died (): void {
    this.leads = -1
    this.mustHoldAll = false
    this.#volume = undefined
  }

  /** At a restart: nothing that was durable may be missing. */
  checkRecovery (log: ReplicaLog): void {
    if (log.logEnd < this.durableEnd) {
      throw new SimFailure('durability', `${this.name}: recovered up to ${log.logEnd}, durable was ${this.durableEnd}`)
    }
    if (log.leaderEpochSeen < this.#epochDurable) {
      throw new SimFailure('epochs',
        `${this.name}: recovered epoch ${log.leaderEpochSeen}, durable was ${this.#epochDurable}`)
    }
  }

  sawEpoch (epoch: number): void {
    if (epoch === this.#epochSeen) return
    if (epoch < this.#epochSeen) {
      throw new SimFailure('epochs', `${this.name}: the epoch fell from ${this.#epochSeen} to ${epoch}`)
    }
    this.#epochSeen = epoch
    this.#volume?.whenDurable(() => { this.#epochDurable = Math.max(this.#epochDurable, epoch) })
  }

  /** What was appended until now is read with the rest: only what comes from now on is to be added to it. */
  loading (): void {
    this.#appendedWhileLoading = []
  }

  loaded (contents: readonly StoredBatch[], logStart: number): void {
    this.known = true
    this.shadow.reset(logStart, contents)
    this.shadow.append(this.#appendedWhileLoading)
    this.#appendedWhileLoading = []
    this.dirty = true
  }

  appended (batches: readonly StoredBatch[]): void {
    if (this.known) this.shadow.append(batches)
    else this.#appendedWhileLoading.push(...batches.filter((batch) => batch.base >= 0))
    this.dirty = true
  }

  truncated (offset: number): void {
    this.cuts++
    this.#appendedWhileLoading = []
    this.shadow.truncate(offset)
    this.verifiedEnd = Math.min(this.verifiedEnd, offset)
    if (offset <= this.outdatedFrom) this.outdatedFrom = Infinity
    this.durableEnd = Math.min(this.durableEnd, offset)
  }

  reset (offset: number): void {
    this.cuts++
    this.#appendedWhileLoading = []
    this.shadow.reset(offset)
    this.verifiedEnd = offset
    this.outdatedFrom = Infinity
    this.durableEnd = 0
    this.resets++
    // Nothing is left to be read from disk.
    this.known = true
  }

  /** The reset is in the journal: it counts when that is durable, and not when what was there before it is. */
  resetJournaled (): void {
    const volume = this.#volume
    volume?.whenDurable(() => { if (this.#volume === volume) this.resets-- })
  }
}

export class PartitionRecord {
  readonly key: string
  /** What is committed: the same for ever. */
  readonly #log = new ShadowLog()
  /** Who led, by epoch. */
  readonly leaders = new Map<number, string>()

  /** What was committed until a person gave it up. */
  readonly #givenUp: StoredBatch[] = []

  constructor (key: string) { this.key = key }

  get end (): number { return this.#log.end }

  commit (leader: ReplicaRecord, end: number): void {
    const batches = leader.shadow.range(this.#log.end, end)
    const first = batches[0]
    if (first === undefined || first.base > this.#log.end) {
      throw new SimFailure('committed prefix',
        `${leader.name} commits from ${first?.base ?? end}, known is ${this.#log.end}`)
    }
    if (first.base < this.#log.end || batches.at(-1)!.last + 1 !== end) {
      throw new SimFailure('committed prefix', `${leader.name} commits up to ${end}, in the middle of a batch`)
    }
    this.#log.append(batches)
  }

  /**
   * A person has the partition go on with `survivor`: what that one does not hold on its disk is committed no more,
   * and that alone.
   * @param replicas all that ever were
   */
  giveUp (survivor: ReplicaRecord, replicas: Iterable<ReplicaRecord>): { from: number, batches: StoredBatch[] } {
    const end = Math.min(survivor.durableEnd, this.end)
    // Of one that is still being read nobody can say.
    const from = survivor.known ? survivor.shadow.difference(this.#log, 0, end) ?? end : 0
    const batches = this.#log.range(from, this.end)
    this.#givenUp.push(...batches)
    this.#log.truncate(from)
    for (const replica of replicas) {
      replica.verifiedEnd = Math.min(replica.verifiedEnd, from)
      const mayHoldMore = replica !== survivor && (!replica.known || replica.shadow.end > from)
      if (mayHoldMore) replica.outdatedFrom = Math.min(replica.outdatedFrom, from)
      replica.mustHoldAll = false
    }
    return { from, batches }
  }

  gaveUp (offset: number, epoch: number): boolean {
    return this.#givenUp.some((batch) => batch.base <= offset && offset <= batch.last && batch.epoch === epoch)
  }

  verify (replica: ReplicaRecord): void {
    if (replica.outdatedFrom < Infinity) return
    const { highWatermark, shadow, name } = replica
    if (highWatermark > this.end) {
      throw new SimFailure('high watermark', `${name} says ${highWatermark} is committed, known is ${this.end}`)
    }
    const to = replica.mustHoldAll ? this.end : Math.min(highWatermark, this.end)
    if (replica.mustHoldAll && shadow.end < this.end) {
      throw new SimFailure('leader completeness', `${name} leads with ${shadow.end} offsets, committed are ${this.end}`)
    }
    const at = shadow.difference(this.#log, replica.verifiedEnd, to)
    if (at !== undefined) {
      throw new SimFailure(replica.mustHoldAll ? 'leader completeness' : 'committed prefix',
        `${name} holds something else at offset ${at}; committed are ${this.end}`)
    }
    replica.verifiedEnd = Math.max(replica.verifiedEnd, to)
    replica.mustHoldAll = false
  }
}
