// MovePartitions and ElectLeaders: checked here against what is stored, then queued on the right tables.
import { WireError } from '../../wire/errors.ts'
import type {
  BrokerInfo, ElectLeadersRequest, ElectLeadersResponse, ElectedLeader, MovePartitionsRequest,
  MovePartitionsResponse, PartitionMove, PartitionRow, PartitionTarget, Sent
} from '../../wire/messages.ts'
import type { Clock } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import { nobody, partitionKeyText } from '../row.ts'
import type { Elections, Wish } from './elections.ts'
import { beforeMove, isMoving, moveWaitsFor, retarget, targetOf } from './moves.ts'
import type { ProgressBook } from './progress.ts'
import type { Roster } from './roster.ts'
import type { TableDraft, TopicEntry } from './table.ts'
import { findRow } from './table.ts'
import { liveTopic, submit } from './tables.ts'
import type { Shelf, Tables } from './tables.ts'
import { pause } from './wait.ts'

const electLookMs = 50

export interface MoveDeskOptions {
  readonly clock: Clock
  readonly roster: Roster
  readonly elections: Elections
  readonly tables: Tables
  readonly progress: ProgressBook
  isFrozen (table: string): boolean
}

interface Found {
  readonly shelf: Shelf
  readonly topic: TopicEntry
  readonly row: PartitionRow
}

export class MoveDesk {
  readonly #options: MoveDeskOptions

  constructor (options: MoveDeskOptions) {
    this.#options = options
  }

  /** Answers when the rows are stored, with the moves that are under way then. Rejects with WireError. */
  async move (request: MovePartitionsRequest): Promise<Sent<MovePartitionsResponse>> {
    checkPartitions(request.targets)
    const found = request.targets.map(target => ({ target, ...this.#find(target) }))
    // All are looked at before any is taken.
    const wanted = found.map(({ target, topic, row }) => this.#moved(row, topic, target))
    if (request.dryRun) return { moves: found.map(({ topic }, index) => this.#describe(topic, wanted[index]!)) }
    const byShelf = Map.groupBy(found, one => one.shelf)
    await Promise.all([...byShelf].map(([shelf, ofShelf]) => submit(shelf, draft => {
      this.#run(draft, ofShelf.map(one => one.target))
    }, true)))
    const stored = request.targets.map(target => this.#find(target))
    return { moves: stored.map(({ topic, row }) => this.#describe(topic, row)) }
  }

  /** What moves now, in order of topic name and partition. @param names of topics, every topic when empty */
  moves (names: readonly string[]): Sent<PartitionMove>[] {
    const moves: Sent<PartitionMove>[] = []
    for (const table of this.#options.tables.all()) {
      for (const topic of table.topics.values()) {
        if (topic.deleting || (names.length > 0 && !names.includes(topic.name))) continue
        for (const row of table.rows.get(topic.topicId) ?? []) if (isMoving(row)) moves.push(this.#describe(topic, row))
      }
    }
    return moves.sort((a, b) => compare(a.topic ?? '', b.topic ?? '') || (a.partition ?? 0) - (b.partition ?? 0))
  }

  /** Answers when each has the leader, or why not. Rejects with WireError when nothing can be asked for. */
  async elect (request: ElectLeadersRequest): Promise<Sent<ElectLeadersResponse>> {
    checkPartitions(request.partitions)
    const { clock, elections } = this.#options
    const results = new Map<PartitionTarget, Sent<ElectedLeader>>()
    const until = clock.now() + limits.electLeadersMs
    for (;;) {
      const late = clock.now() >= until
      for (const key of request.partitions) {
        if (results.has(key)) continue
        const result = this.#elected(key, request.leader, late)
        if ('row' in result) elections.want(result)
        else results.set(key, result)
      }
      if (results.size === request.partitions.length) break
      await pause(clock, electLookMs)
    }
    return { elected: request.partitions.flatMap(key => results.get(key) ?? []) }
  }

  /** The leader as it is wanted, why it cannot be, or what is to be asked for. */
  #elected (key: PartitionTarget, leader: number, late: boolean): Sent<ElectedLeader> | Wish {
    const { topic, partition } = key
    try {
      const { row } = this.#find(key)
      const wanted = leader === nobody ? this.#preferred(row) : leader
      const now = { topic, partition, leader: row.leader, leaderEpoch: row.leaderEpoch }
      this.#options.roster.choose(row, wanted)
      if (row.leader === wanted) return now
      const error = this.#whyNot(row, wanted)
      if (error !== undefined) return { ...now, error: error.toDetail() }
      if (late) return { ...now, error: notElected(wanted).toDetail() }
      const ask = row.inSync.filter(member => this.#isLive(row, member.brokerId)).map(member => member.brokerId)
      return { row, ask: [...new Set(ask)], preferred: wanted }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return { topic, partition, leader: nobody, leaderEpoch: -1, error: error.toDetail() }
    }
  }

  /** The first in order of preference that is not being drained. */
  #preferred (row: PartitionRow): number {
    const brokers = this.#options.tables.brokers()
    return targetOf(row).find(id => brokers.get(id)?.draining === false) ?? row.leader
  }

  #whyNot (row: PartitionRow, brokerId: number): WireError | undefined {
    const { roster } = this.#options
    if (row.leader === nobody) return new WireError('LEADER_NOT_AVAILABLE')
    if (!row.inSync.some(member => member.brokerId === brokerId)) {
      return new WireError('INELIGIBLE_LEADER', `broker ${brokerId} is not in sync`)
    }
    if (!this.#isLive(row, brokerId)) return new WireError('INELIGIBLE_LEADER', `broker ${brokerId} is not live`)
    if (row.removing.includes(brokerId)) return new WireError('INELIGIBLE_LEADER', `broker ${brokerId} is leaving`)
    return roster.isFit(row, brokerId) ? undefined
      : new WireError('INELIGIBLE_LEADER', `broker ${brokerId} cannot reach enough others, or its disk does not answer`)
  }

  #isLive (row: PartitionRow, brokerId: number): boolean {
    return row.inSync.some(member => member.brokerId === brokerId &&
      this.#options.roster.member(row.topicId, row.partition, member) === 'live')
  }

  /** All of one table, or none. */
  #run (draft: TableDraft, targets: readonly PartitionTarget[]): void {
    const { isFrozen } = this.#options
    if (isFrozen(draft.base.name)) throw restoring()
    const rows = targets.map(target => {
      const topic = liveTopic(draft.topics.values(), target.topic)
      const row = topic === undefined ? undefined : draft.row(topic.topicId, target.partition)
      if (topic === undefined || row === undefined) throw new WireError('UNKNOWN_TOPIC', `no topic '${target.topic}'`)
      return { row, next: this.#moved(row, topic, target) }
    })
    for (const { row, next } of rows) if (next !== row) draft.setRow(next)
  }

  /** The row with its new target; throws why it cannot be. */
  #moved (row: PartitionRow, topic: TopicEntry, { replicas, partition }: PartitionTarget): PartitionRow {
    const { roster, tables } = this.#options
    if (replicas.length === 0) return isMoving(row) ? retarget(row, beforeMove(row), roster) : row
    const what = `topic '${topic.name}', partition ${partition}`
    if (replicas.length !== topic.replicas) {
      throw new WireError('INVALID_ASSIGNMENT', `${what}: ${replicas.length} brokers for ${topic.replicas} replicas`)
    }
    if (new Set(replicas).size !== replicas.length) {
      throw new WireError('INVALID_ASSIGNMENT', `${what}: a broker is named twice`)
    }
    for (const brokerId of replicas) {
      const broker: BrokerInfo | undefined = tables.brokers().get(brokerId)
      if (broker === undefined) throw new WireError('UNKNOWN_BROKER', `${what}: there is no broker ${brokerId}`)
      if (broker.draining) throw new WireError('INELIGIBLE_BROKER', `${what}: broker ${brokerId} is being drained`)
      if (!row.replicas.includes(brokerId) && !roster.isServing(brokerId)) {
        throw new WireError('INELIGIBLE_BROKER', `${what}: broker ${brokerId} is away`)
      }
    }
    const next = retarget(row, replicas, roster)
    if (next.replicas.length > 2 * limits.replicasMax) {
      throw new WireError('INVALID_ASSIGNMENT', `${what}: moves from before have to be completed first`)
    }
    return next
  }

  #find ({ topic: name, partition }: PartitionTarget): Found {
    const { tables, isFrozen } = this.#options
    const topic = tables.topicByName(name)
    const shelf = tables.shelfByName(name)
    if (topic === undefined || shelf === undefined) throw new WireError('UNKNOWN_TOPIC', `no topic '${name}'`)
    const { table } = shelf.writer
    if (isFrozen(table.name)) throw restoring()
    const row = findRow(table, topic.topicId, partition)
    if (row === undefined) throw new WireError('UNKNOWN_PARTITION', `topic '${name}' has no partition ${partition}`)
    return { shelf, topic, row }
  }

  #describe (topic: TopicEntry, row: PartitionRow): Sent<PartitionMove> {
    const { progress, roster } = this.#options
    return {
      topic: topic.name,
      topicId: topic.topicId,
      partition: row.partition,
      replicas: [...targetOf(row)],
      adding: row.adding,
      removing: row.removing,
      bytesLeft: progress.bytesLeft(row),
      waitingFor: isMoving(row) ? moveWaitsFor(row, roster) : ''
    }
  }
}

function checkPartitions (partitions: readonly PartitionTarget[]): void {
  if (partitions.length > limits.partitionsPerRequestMax) {
    throw new WireError('INVALID_REQUEST', `${limits.partitionsPerRequestMax} partitions at most`)
  }
  const keys = new Set(partitions.map(({ topic, partition }) => partitionKeyText(topic, partition)))
  if (keys.size < partitions.length) throw new WireError('INVALID_REQUEST', 'a partition is named twice')
}

function notElected (brokerId: number): WireError {
  return new WireError('INELIGIBLE_LEADER', `broker ${brokerId} was asked, and was not elected`)
}

function restoring (): WireError {
  return new WireError('CONTROLLER_UNAVAILABLE', 'the tables are being restored')
}

function compare (a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
