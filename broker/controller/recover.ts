// RecoverPartition: outside the rules, by a person alone. A partition whose in-sync set is lost goes on with
// a replica that was not in it; what that one lacks is lost. replication.md, "Election and fencing".
import { WireError } from '../../wire/errors.ts'
import type {
  PartitionRow, RecoverPartitionRequest, RecoverPartitionResponse, ReplicaEnds, ReplicaIdentity, Sent
} from '../../wire/messages.ts'
import type { Log } from '../io/ports.ts'
import * as limits from '../limits.ts'
import { hasIdentity, identityText, nobody, partitionKeyText, sameIdentity } from '../row.ts'
import type { Elections } from './elections.ts'
import { nextRow } from './in-sync.ts'
import type { Roster } from './roster.ts'
import { findRow } from './table.ts'
import type { Tables } from './tables.ts'

export interface RecoveryOptions {
  readonly log: Log
  readonly roster: Roster
  readonly tables: Tables
  readonly elections: Elections
  readonly counters: { partitionsRecovered: number }
  /** The table's rows are being restored: they may not be the newest. */
  isFrozen (table: string): boolean
}

/** What is known of a partition whose set is said to be lost. */
export interface LostPartition {
  readonly row: PartitionRow
  /** What every broker with a session said of its replica. */
  readonly answers: readonly ReplicaEnds[]
  /** The highest high watermark that any replica reported. */
  readonly highWatermarkSeen: number
  /** The highest leader epoch that any replica has seen. */
  readonly leaderEpochSeen: number
  /** Has the broker a session in which it may be elected? */
  canLead (brokerId: number): boolean
}

function refused (message: string): WireError {
  return new WireError('RECOVERY_REFUSED', message)
}

function list (brokerIds: readonly number[]): string {
  return brokerIds.join(', ')
}

/** Whoever asks knows whom he gives up: neither more nor less. Throws RECOVERY_REFUSED. */
export function checkLost (row: PartitionRow, lost: readonly number[]): void {
  const members = row.inSync.map(member => member.brokerId)
  const unnamed = members.filter(brokerId => !lost.includes(brokerId))
  if (unnamed.length > 0) {
    throw refused(`the in-sync set is of brokers ${list(members)}: ${list(unnamed)} must be named as lost too`)
  }
  const strangers = lost.filter(brokerId => !members.includes(brokerId))
  if (strangers.length > 0) {
    throw refused(`not in the in-sync set, which is of brokers ${list(members)}: ${list(strangers)}`)
  }
}

/**
 * The replica to go on with: the one named, else the one with the highest (last epoch, durable end), then the
 * order of `replicas`. Throws RECOVERY_REFUSED.
 *
 * @param wanted broker id, -1 for the best
 */
export function survivorOf (lost: LostPartition, wanted: number): ReplicaEnds & { identity: ReplicaIdentity } {
  const { row, answers, canLead } = lost
  const found = answers.flatMap(ends => {
    const { identity } = ends
    if (identity === undefined || !ends.present || !canLead(identity.brokerId)) return []
    const holds = row.replicas.includes(identity.brokerId) || row.adding.includes(identity.brokerId)
    return holds && !hasIdentity(row.inSync, identity) && !hasIdentity(row.barred, identity)
      ? [{ ...ends, identity }]
      : []
  })
  found.sort((a, b) => b.lastEpoch - a.lastEpoch || b.durableEnd - a.durableEnd ||
    row.replicas.indexOf(a.identity.brokerId) - row.replicas.indexOf(b.identity.brokerId))
  const survivor = wanted === nobody ? found[0] : found.find(ends => ends.identity.brokerId === wanted)
  if (survivor !== undefined) return survivor
  if (wanted === nobody) {
    throw refused(`none of its brokers, ${list(row.replicas)}, has a session and a replica that is not a member`)
  }
  throw refused(`broker ${wanted} has no sound replica outside the in-sync set; ` +
    (found.length === 0 ? 'no broker has' : `there are those of ${list(found.map(ends => ends.identity.brokerId))}`))
}

/** The row that the survivor leads alone. Its floor is 1 until others have caught up. */
export function recoveredRow ({ row, leaderEpochSeen }: LostPartition, survivor: ReplicaIdentity): PartitionRow {
  const known = row.barred.filter(identity => !hasIdentity(row.inSync, identity))
  return nextRow(row, {
    leader: survivor.brokerId,
    leaderEpoch: Math.max(row.leaderEpoch, leaderEpochSeen) + 1,
    inSync: [survivor],
    minInSync: 1,
    barred: [...known, ...row.inSync].slice(-limits.barredMax)
  })
}

export class Recovery {
  readonly #options: RecoveryOptions

  constructor (options: RecoveryOptions) {
    this.#options = options
  }

  /** Answers when the row is stored. Rejects with WireError, RECOVERY_REFUSED and others. */
  async recover (request: RecoverPartitionRequest): Promise<Sent<RecoverPartitionResponse>> {
    const row = this.#row(request)
    checkLost(row, request.lost)
    if (!request.dryRun && !request.acceptDataLoss) {
      throw refused('records may be lost for ever: that must be accepted')
    }
    const lost = await this.#ask(row)
    this.#requireLost(lost)
    const survivor = survivorOf(lost, request.survivor)
    const after = recoveredRow(lost, survivor.identity)
    const answer = {
      before: row,
      after,
      endOffset: survivor.durableEnd,
      highWatermarkSeen: lost.highWatermarkSeen
    }
    if (request.dryRun) return answer
    await this.#write(request.topic, lost, after)
    this.#tell(request, answer, survivor.identity)
    return answer
  }

  #row ({ topic, partition }: RecoverPartitionRequest): PartitionRow {
    const { tables } = this.#options
    const shelf = tables.shelfByName(topic)
    const entry = tables.topicByName(topic)
    if (shelf === undefined || entry === undefined) throw new WireError('UNKNOWN_TOPIC', `no topic '${topic}'`)
    const { table } = shelf.writer
    if (this.#options.isFrozen(table.name)) {
      throw new WireError('CONTROLLER_UNAVAILABLE', 'the tables are being restored: nothing is recovered before')
    }
    const row = findRow(table, entry.topicId, partition)
    if (row === undefined) throw new WireError('UNKNOWN_PARTITION')
    return row
  }

  async #ask (row: PartitionRow): Promise<LostPartition> {
    const { roster, elections } = this.#options
    const { topicId, partition } = row
    const key = partitionKeyText(topicId, partition)
    const there = roster.sessions().filter(session => session.replicas.has(key))
    const answers = await elections.inquire(row, there.map(session => session.brokerId))
    const reports = roster.sessions().flatMap(session => session.replicas.get(key) ?? [])
    return {
      row,
      answers,
      highWatermarkSeen: Math.max(roster.highWatermarkSeen(topicId, partition),
        ...answers.map(ends => ends.highWatermark)),
      leaderEpochSeen: Math.max(row.leaderEpoch, ...reports.map(report => report.leaderEpochSeen)),
      canLead: brokerId => roster.registered(brokerId) !== undefined && roster.session(brokerId)?.stopping === false
    }
  }

  /** A member that lives and holds what is committed can lead by the rules; one of unknown fate may return at once. */
  #requireLost ({ row, answers, highWatermarkSeen }: LostPartition): void {
    const { roster } = this.#options
    for (const member of row.inSync) {
      const state = roster.member(row.topicId, row.partition, member)
      if (state === 'dead') continue
      if (state === 'missing') throw refused(`broker ${member.brokerId} is not known to be gone: wait a few seconds`)
      const ends = answers.find(answer => answer.identity !== undefined && sameIdentity(answer.identity, member))
      const unsound = ends !== undefined && (!ends.present || ends.durableEnd < highWatermarkSeen)
      if (!unsound) {
        throw refused(`broker ${member.brokerId}, a member of the in-sync set, has a session and a sound replica`)
      }
    }
  }

  /** What was decided from must still be so. */
  async #write (topic: string, lost: LostPartition, after: PartitionRow): Promise<void> {
    const { row } = lost
    await this.#options.tables.operate(topic, 0, draft => {
      const now = draft.row(row.topicId, row.partition)
      const { table } = this.#options.tables.shelfByName(topic)?.writer ?? {}
      if (now === undefined || table === undefined) throw new WireError('UNKNOWN_TOPIC', `no topic '${topic}'`)
      if (now.version !== row.version || now.leaderEpoch !== row.leaderEpoch || this.#options.isFrozen(table.name)) {
        throw new WireError('STALE_ROW', 'the partition has changed meanwhile: look again')
      }
      this.#requireLost(lost)
      if (!lost.canLead(after.leader)) throw refused(`broker ${after.leader} has lost its session`)
      draft.setRow(after)
    })
  }

  #tell ({ topic, partition }: RecoverPartitionRequest, answer: Sent<RecoverPartitionResponse>,
    survivor: ReplicaIdentity): void {
    const { log, counters } = this.#options
    counters.partitionsRecovered += 1
    log.error({
      topic,
      partition,
      survivor: identityText(survivor),
      leaderEpoch: answer.after?.leaderEpoch,
      endOffset: answer.endOffset,
      highWatermarkSeen: answer.highWatermarkSeen,
      lost: answer.before?.inSync?.map(member => identityText(member as ReplicaIdentity))
    }, 'a person had a partition recovered without its in-sync set: records may be lost; members that are only ' +
      'cut off may still be acknowledging some')
  }
}
