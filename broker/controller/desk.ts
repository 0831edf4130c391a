// What waits for one table, and how a draft of it is decided: leaders' requests, topics, then everything
// that follows from who is there.
import { WireError } from '../../wire/errors.ts'
import type { PartitionRow, SessionRequest_ChangeInSync } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import { identityText, nobody, partitionKeyText } from '../row.ts'
import type { BrokerSession } from './broker-session.ts'
import type { Elections } from './elections.ts'
import { effectiveFloor, isFromTheFuture, nextRow, refuseChange } from './in-sync.ts'
import type { Log } from '../io/ports.ts'
import type { Roster } from './roster.ts'
import { planRow } from './row-plan.ts'
import type { Table, TableDraft } from './table.ts'
import { findRow } from './table.ts'
import type { Decision } from './writer.ts'

export interface DeskCounters {
  elections: number
  electionsFailed: number
  inSyncChanges: number
  inSyncRefused: number
}

/** What several desks share. */
export interface Bureau {
  readonly roster: Roster
  readonly elections: Elections
  readonly counters: DeskCounters
  readonly log: Log
  /** False while it is not known whether the table is the newest: its rows are left alone. */
  mayDecide (table: string): boolean
  /** Counts up with everything that an election without a candidate may hope for. */
  readonly hope: { count: number }
  /** A broker knows more than this controller: another one came after it. */
  outdated (reason: string): void
}

/** Something to be done to the table, by the draft; `run` may throw a WireError. */
export interface TableOp {
  /** May be refused when the table would become too large with it. */
  readonly isOptional?: boolean
  run (draft: TableDraft): void
  /** The draft with it is stored, or `run` threw. */
  done (table: Table, error: WireError | undefined): void
}

interface Change {
  readonly session: BrokerSession
  readonly request: SessionRequest_ChangeInSync
}

export class Desk {
  readonly #bureau: Bureau
  #ops: TableOp[] = []
  #closed: WireError | undefined
  #holding = false
  /** One per partition: a leader has one change in flight. */
  #changes = new Map<string, Change>()
  /** Elections that found nobody, and how many hopes there were then. */
  readonly #hopeless = new Map<string, number>()
  /** Damaged members that were told of, so that each is told of once. */
  readonly #damaged = new Set<string>()

  constructor (bureau: Bureau) {
    this.#bureau = bureau
  }

  /** Throws BROKER_BUSY, or why the desk is closed. */
  add (op: TableOp): void {
    if (this.#closed !== undefined) throw this.#closed
    if (this.#ops.length >= limits.tableOpsPendingMax) {
      throw new WireError('BROKER_BUSY', 'too many changes wait for the Kubernetes API')
    }
    this.#ops.push(op)
  }

  change (session: BrokerSession, request: SessionRequest_ChangeInSync): void {
    this.#changes.set(partitionKeyText(request.topicId, request.partition), { session, request })
  }

  /** No live member could lead when it was asked last, and nothing has changed since. */
  isHopeless (row: PartitionRow): boolean {
    return this.#hopeless.get(partitionKeyText(row.topicId, row.partition)) === this.#bureau.hope.count
  }

  /** The last decision left things to the one after an election whose answers are due. */
  get isHolding (): boolean { return this.#holding }

  /** Partitions wait for better times. */
  get hasHopeless (): boolean { return this.#hopeless.size > 0 }

  decide (draft: TableDraft): Decision {
    const ops = this.#ops
    const changes = this.#changes
    this.#ops = []
    this.#changes = new Map()
    const opErrors = ops.map(op => runOp(op, draft))
    const changeErrors = new Map([...changes].map(([key, change]) => [key, this.#runChange(change, draft)]))
    const polled = this.#bureau.mayDecide(draft.base.name) ? this.#decideRows(draft) : []
    return {
      landed: table => {
        for (const settle of polled) settle()
        ops.forEach((op, index) => { op.done(table, opErrors[index]) })
        for (const [key, { session, request }] of changes) {
          const error = changeErrors.get(key)
          if (error === undefined) this.#bureau.counters.inSyncChanges += 1
          else this.#bureau.counters.inSyncRefused += 1
          session.answerChange(request.requestId, error, findRow(table, request.topicId, request.partition))
        }
      },
      dropped: () => {
        if (this.#closed !== undefined) {
          for (const op of ops) op.done(draft.base, this.#closed)
          return
        }
        this.#ops.unshift(...ops)
        this.#again(changes)
      },
      refused: ops.every(op => op.isOptional !== true) ? undefined : error => {
        ops.forEach((op, index) => { if (op.isOptional === true) op.done(draft.base, opErrors[index] ?? error) })
        this.#ops.unshift(...ops.filter(op => op.isOptional !== true))
        this.#again(changes)
      }
    }
  }

  /** Leaders' requests are decided another time, but for those that newer ones have replaced. */
  #again (changes: ReadonlyMap<string, Change>): void {
    for (const [key, change] of changes) if (!this.#changes.has(key)) this.#changes.set(key, change)
  }

  /** Nothing will be written any more. */
  close (error: WireError, table: Table): void {
    this.#closed = error
    const ops = this.#ops
    this.#ops = []
    this.#changes.clear()
    for (const op of ops) op.done(table, error)
  }

  #runChange ({ session, request }: Change, draft: TableDraft): WireError | undefined {
    const { topicId, partition } = request
    const row = draft.row(topicId, partition)
    if (row === undefined) return new WireError('UNKNOWN_PARTITION')
    if (isFromTheFuture(row, request)) {
      if (!this.#bureau.mayDecide(draft.base.name)) {
        return new WireError('CONTROLLER_UNAVAILABLE', 'tables are being restored')
      }
      this.#bureau.outdated(`broker ${session.brokerId} asks from a newer row of ${topicId}-${partition}`)
      return new WireError('NOT_CONTROLLER')
    }
    if (!this.#bureau.mayDecide(draft.base.name)) {
      return new WireError('CONTROLLER_UNAVAILABLE', 'tables are being restored')
    }
    if (draft.topics.get(topicId)?.deleting === true) return new WireError('STALE_ROW', 'the topic is being deleted')
    const refusal = refuseChange(row, request, session.info, this.#bureau.roster)
    if (refusal !== undefined) return refusal
    const wanted = draft.topics.get(topicId)?.minInSync ?? row.minInSync
    const minInSync = effectiveFloor(row.minInSync, wanted, request.inSync.length)
    draft.setRow(nextRow(row, { inSync: request.inSync, minInSync }))
    return undefined
  }

  /** Answers what is to be done once the draft is stored. */
  #decideRows (draft: TableDraft): (() => void)[] {
    const { roster, elections } = this.#bureau
    const settle: (() => void)[] = []
    const waiting = new Set<string>()
    const calm: PartitionRow[] = []
    const gentle: PartitionRow[] = []
    this.#holding = false
    for (const topic of draft.topics.values()) {
      for (const row of draft.rows(topic.topicId)) {
        // A leader's change in this very draft is not the last successful write: who it adds may not be
        // elected before it has landed.
        if (row !== findRow(draft.base, row.topicId, row.partition)) continue
        const poll = elections.poll(row)
        const plan = planRow(row, topic, roster, poll)
        const needy = plan.row.leader === nobody || plan.wish !== undefined || plan.outcome === 'failed'
        if (needy && this.#hopeless.size > 0) waiting.add(partitionKeyText(row.topicId, row.partition))
        if (plan.row !== row) {
          if (plan.outcome === 'elected' || plan.row.leader === nobody) draft.setRow(plan.row)
          else (plan.isGentle ? gentle : calm).push(plan.row)
        }
        if (plan.outcome === 'doubtful') elections.forget(row)
        if (plan.wish !== undefined && (plan.outcome === 'doubtful' || !this.isHopeless(row))) {
          const due = elections.want(plan.wish)
          this.#holding ||= due
        }
        if (plan.outcome === 'elected' || plan.outcome === 'failed') {
          settle.push(this.#settlement(row, plan.row, plan.outcome))
        }
        for (const ends of plan.damaged) {
          this.#tell(row, ends.identity === undefined ? '' : identityText(ends.identity), ends.durableEnd)
        }
        if (poll !== undefined && plan.outcome === 'none') elections.forget(row)
      }
    }
    if (!this.#holding) {
      for (const row of calm) draft.setRow(row)
      for (const row of gentle.slice(0, elections.departures(draft.base.name, gentle.length))) draft.setRow(row)
    }
    for (const key of this.#hopeless.keys()) if (!waiting.has(key)) this.#hopeless.delete(key)
    return settle
  }

  #settlement (before: PartitionRow, after: PartitionRow, outcome: 'elected' | 'failed'): () => void {
    const { roster, elections, counters, hope, log } = this.#bureau
    const key = partitionKeyText(before.topicId, before.partition)
    const needed = roster.leadership(before) === 'lost'
    const struggled = !needed && roster.session(before.leader)?.stopping === false &&
      roster.leadership(before) === 'leaving'
    const hopeThen = hope.count
    return () => {
      elections.forget(before)
      if (outcome === 'failed') {
        this.#hopeless.set(key, hopeThen)
        if (needed) counters.electionsFailed += 1
        log.debug({ topicId: before.topicId, partition: before.partition }, 'no member of the in-sync set can lead')
        return
      }
      counters.elections += 1
      this.#hopeless.delete(key)
      if (struggled) roster.moved(key)
      const { topicId, partition, leader, leaderEpoch } = after
      const session = roster.session(leader)
      if (session?.state === 'joining') session.elected.set(key, leaderEpoch)
      const from = before.leader === nobody ? undefined : before.leader
      log.debug({ topicId, partition, leader, leaderEpoch, from }, 'leader elected')
    }
  }

  #tell (row: PartitionRow, identity: string, end: number): void {
    const text = `${partitionKeyText(row.topicId, row.partition)} ${identity}`
    if (this.#damaged.has(text)) return
    this.#damaged.add(text)
    const { topicId, partition } = row
    this.#bureau.log.error({ topicId, partition, identity, end },
      'a member of the in-sync set has lost committed records: it will not lead; replace its volume')
  }
}

function runOp (op: TableOp, draft: TableDraft): WireError | undefined {
  try {
    op.run(draft)
    return undefined
  } catch (error) {
    if (error instanceof WireError) return error
    throw error
  }
}
