// The in-sync set as its leader counts it, and what it asks the controller to change (KIP-497, with
// KIP-841 and KIP-903). replication.md: "Changing the in-sync set".
import * as limits from '../limits.ts'
import type { BrokerInfo, SessionRequest_AddedMember } from '../../wire/messages.ts'
import { hasIdentity, identityText, sameIdentity } from '../row.ts'
import type { PartitionRow, ReplicaIdentity } from '../row.ts'
import { Progress } from './progress.ts'

/** A change that was asked for from the row of `version`. Only a row with a higher version ends it. */
interface PendingChange {
  readonly version: number
  /** What is asked for now: the wanted set, or the old set again to give the change up. */
  inSync: readonly ReplicaIdentity[]
  added: readonly Progress[]
  /** Every set that was asked for and may have been written. */
  readonly named: (readonly ReplicaIdentity[])[]
  askedMs: number
  /** When the same is asked for again, and the pause before the time after that. */
  retryMs: number
  pauseMs: number
}

/** Where the leader's own log is. */
export interface LeaderEnds {
  readonly epochStart: number
  readonly highWatermark: number
  readonly logEnd: number
}

export interface WantedSet {
  readonly inSync: readonly ReplicaIdentity[]
  readonly added: readonly Progress[]
}

/** What the leader knows of brokers, from the view. */
export type FindBroker = (brokerId: number) => BrokerInfo | undefined

/** Its broker is registered with that very volume and not fenced. */
export function isLive (member: ReplicaIdentity, find: FindBroker): boolean {
  const broker = find(member.brokerId)
  return broker !== undefined && !broker.fenced && broker.volumeId === member.volumeId
}

export function liveMembers (row: PartitionRow, find: FindBroker): number {
  let count = 0
  for (const member of row.inSync) if (isLive(member, find)) count++
  return count
}

function sameSet (a: readonly ReplicaIdentity[], b: readonly ReplicaIdentity[]): boolean {
  return a.length === b.length && a.every(member => hasIdentity(b, member))
}

export class InSync {
  readonly #self: ReplicaIdentity
  readonly #sinceMs: number
  /** Adopted rows of this epoch, the last one that is durable here first. */
  #rows: PartitionRow[]
  #pending: PendingChange | undefined
  readonly #followers = new Map<string, Progress>()
  /** Whose ends the high watermark is the lowest of, but this replica. */
  #counted: Progress[] = []

  constructor (self: ReplicaIdentity, row: PartitionRow, nowMs: number) {
    this.#self = self
    this.#sinceMs = nowMs
    this.#rows = [row]
    this.#count()
  }

  /** The last row adopted. */
  get row (): PartitionRow { return this.#rows.at(-1)! }
  get changing (): boolean { return this.#pending !== undefined }
  get followers (): IterableIterator<Progress> { return this.#followers.values() }

  follower (identity: ReplicaIdentity): Progress {
    const key = identityText(identity)
    let progress = this.#followers.get(key)
    if (progress === undefined) {
      progress = new Progress(identity, this.#sinceMs)
      this.#followers.set(key, progress)
    }
    return progress
  }

  isMember (progress: Progress): boolean {
    return hasIdentity(this.row.inSync, progress.identity)
  }

  /** The high watermark waits for its end: a member, or one that a change under way may have made one. */
  counts (progress: Progress): boolean {
    return this.#counted.includes(progress)
  }

  /** Its subscription ended; what it acknowledged stays true while it counts. */
  left (progress: Progress): void {
    progress.streaming = false
    if (!this.counts(progress)) this.#followers.delete(identityText(progress.identity))
  }

  /** A newer row of the same leader epoch. Both its set and the one before count until it is durable. */
  adopt (row: PartitionRow): void {
    this.#rows.push(row)
    this.#count()
  }

  /** `row`, adopted before, is durable here: it ends what was pending from an older version. */
  durable (row: PartitionRow): void {
    this.#rows = this.#rows.filter(other => other.version >= row.version)
    if (this.#pending !== undefined && this.#pending.version < row.version) this.#pending = undefined
    this.#count()
  }

  /**
   * The lowest durable end over the set of the last row, that of every row not yet durable, and every set
   * that a pending change names. -1 when one is unknown, or the set is below the floor.
   */
  lowestEnd (ownEnd: number): number {
    const row = this.row
    if (row.inSync.length < row.minInSync) return -1
    let lowest = ownEnd
    for (const progress of this.#counted) if (progress.end < lowest) lowest = progress.end
    return lowest
  }

  /** Everyone who must have a record before it is committed, this replica included. */
  countedSet (): ReplicaIdentity[] {
    return [this.#self, ...this.#counted.map(progress => progress.identity)]
  }

  /** The set that the leader would have, undefined when the one of the row is right. */
  wanted (ends: LeaderEnds, nowMs: number, find: FindBroker): WantedSet | undefined {
    const row = this.row
    const added = [...this.#followers.values()].filter(progress => !this.isMember(progress) &&
      isCaughtUp(progress, ends, nowMs) && mayJoin(progress, row, find))
    let inSync = [...row.inSync, ...added.map(progress => progress.identity)]
    for (const member of this.#leaving(added.length > 0, nowMs, find)) {
      const rest = inSync.filter(other => other !== member)
      // The floor: a set shrinks only if the members that remain and live are minInSync.
      if (rest.filter(other => isLive(other, find)).length >= row.minInSync) inSync = rest
    }
    return sameSet(inSync, row.inSync) ? undefined : { inSync, added }
  }

  /** Members that should go, the dead first, then those that lag longest. */
  #leaving (growing: boolean, nowMs: number, find: FindBroker): ReplicaIdentity[] {
    const leaving: { member: ReplicaIdentity, rank: number }[] = []
    for (const member of this.row.inSync) {
      if (sameIdentity(member, this.#self)) continue
      const lagMs = nowMs - this.follower(member).caughtUpMs
      // The controller drops fenced members by itself; the leader does it in the same change as it adds.
      const dead = !isLive(member, find) || this.#isReplaced(member)
      if (lagMs > limits.replicaLagMs || (growing && dead)) leaving.push({ member, rank: dead ? Infinity : lagMs })
    }
    return leaving.sort((a, b) => b.rank === a.rank ? 0 : b.rank - a.rank).map(entry => entry.member)
  }

  /** A broker holds one replica of a partition: another identity that streams means that this one is gone. */
  #isReplaced (member: ReplicaIdentity): boolean {
    for (const progress of this.#followers.values()) {
      if (progress.streaming && progress.identity.brokerId === member.brokerId &&
        !sameIdentity(progress.identity, member)) return true
    }
    return false
  }

  /**
   * What is to be asked of the controller now, if anything: the wanted set; while a change is pending the
   * same again; the old set again when it is not wanted any more.
   */
  ask (wanted: WantedSet | undefined, nowMs: number): WantedSet | undefined {
    const pending = this.#pending
    if (pending === undefined) {
      if (wanted === undefined) return undefined
      this.#pending = {
        version: this.row.version,
        inSync: wanted.inSync,
        added: wanted.added,
        named: [wanted.inSync],
        askedMs: nowMs,
        retryMs: nowMs + limits.inSyncRetryMs,
        pauseMs: 2 * limits.inSyncRetryMs
      }
      this.#count()
      return wanted
    }
    if (this.row.version > pending.version) return undefined
    const givingUp = sameSet(pending.inSync, this.row.inSync)
    if (givingUp || (wanted !== undefined && this.#isStep(pending, wanted))) {
      if (nowMs < pending.retryMs) return undefined
      pending.retryMs = nowMs + pending.pauseMs
      pending.pauseMs = Math.min(2 * pending.pauseMs, limits.inSyncRetryMsMax)
    } else {
      if (nowMs < pending.askedMs + limits.inSyncRetryMs) return undefined
      pending.inSync = this.row.inSync
      pending.added = []
      pending.retryMs = nowMs + limits.inSyncRetryMs
      pending.pauseMs = 2 * limits.inSyncRetryMs
    }
    pending.askedMs = nowMs
    return { inSync: pending.inSync, added: pending.added }
  }

  /** True when what is pending leads to the wanted set, be it by some of the way. */
  #isStep (pending: PendingChange, wanted: WantedSet): boolean {
    return pending.inSync.every(member => hasIdentity(this.row.inSync, member) || hasIdentity(wanted.inSync, member)) &&
      this.row.inSync.every(member => hasIdentity(pending.inSync, member) || !hasIdentity(wanted.inSync, member))
  }

  /** The controller refused: that decides nothing, but it may be asked again sooner. */
  refused (nowMs: number): void {
    const pending = this.#pending
    if (pending !== undefined) pending.retryMs = Math.min(pending.retryMs, nowMs + pending.pauseMs / 4)
  }

  #count (): void {
    const counted = new Set<Progress>()
    const sets = [...this.#rows.map(row => row.inSync), ...this.#pending?.named ?? []]
    for (const set of sets) {
      for (const member of set) if (!sameIdentity(member, this.#self)) counted.add(this.follower(member))
    }
    this.#counted = [...counted]
  }
}

/**
 * KAFKA-7128: at the high watermark is not enough, the start of this epoch must be reached too. Nor is it when
 * the follower is why the high watermark stands still, as one that a pending change names may be.
 */
function isCaughtUp (progress: Progress, { epochStart, highWatermark, logEnd }: LeaderEnds, nowMs: number): boolean {
  return progress.active(logEnd, nowMs, limits.learnerSilentMs) &&
    progress.end >= highWatermark && progress.end >= epochStart
}

/** KIP-841, KIP-903: registered as the process that acknowledged, neither fenced nor stopping. */
function mayJoin (progress: Progress, row: PartitionRow, find: FindBroker): boolean {
  const { brokerId } = progress.identity
  const broker = find(brokerId)
  return broker !== undefined && isLive(progress.identity, find) && !broker.stopping &&
    broker.brokerEpoch === progress.brokerEpoch && isReplica(row, brokerId)
}

export function isReplica (row: PartitionRow, brokerId: number): boolean {
  return row.replicas.includes(brokerId) || row.adding.includes(brokerId)
}

export function addedMembers (added: readonly Progress[]): SessionRequest_AddedMember[] {
  return added.map(({ identity, brokerEpoch, end }) => ({ identity, brokerEpoch, durableEnd: end }))
}
