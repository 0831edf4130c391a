// State Restored: the tables are older than what brokers know, since they were lost or an old backup of
// the API came back. Nothing is decided until every broker has said what it knows, or a person waives
// one; then each row is the highest reported, with a new leader epoch.
import { WireError } from '../../wire/errors.ts'
import type {
  ReplicaReport, RestoreTablesRequest, RestoreTablesResponse, Sent, TableRestore
} from '../../wire/messages.ts'
import type { Log } from '../io/ports.ts'
import * as limits from '../limits.ts'
import { isNewerRow, partitionKeyText } from '../row.ts'
import type { BrokerSession } from './broker-session.ts'
import type { Removals } from './removals.ts'
import { plannedRows, plannedTopic, reportsOf, restoreRows, restoreTopic, undecidable } from './restore-rows.ts'
import type { Roster } from './roster.ts'
import type { TableStore } from './store.ts'
import { annotation, findRow } from './table.ts'
import { restoringAnnotation } from './takeover.ts'
import { submit, topicBytes } from './tables.ts'
import type { Shelf, Tables } from './tables.ts'

/** Set by a person on the root table: ids of brokers that will not come back, parted by commas. */
export const waiverAnnotation = 'millrace.dev/restore-without'

export interface RestoreOptions {
  readonly log: Log
  readonly store: TableStore
  readonly roster: Roster
  readonly tables: Tables
  readonly removals: Removals
  readonly brokersExpected: number
  readonly brokersKnown: readonly number[] | undefined
  readonly controllerEpoch: number
  /** From the takeover: why all tables are doubted, empty when they are not. */
  readonly suspicion: string
  /** Something was restored: look at everything again. */
  changed (): void
}

export class Restore {
  readonly #options: RestoreOptions
  /** Every table is doubted, and there may be topics that none of them names. */
  #total: boolean
  /** Tables whose rows are left alone, by name, and why. */
  readonly #frozen = new Map<string, string>()
  /** Names of topics that replicas have and no table names, by topicId. */
  readonly #unknown = new Map<string, string>()
  /** Why topics are not restored, by topicId. */
  readonly #undecidable = new Map<string, string>()
  #waived: ReadonlySet<number> = new Set()
  /** What is being restored now. */
  #work: Promise<void> | undefined
  #told = ''

  constructor (options: RestoreOptions) {
    this.#options = options
    this.#total = options.suspicion !== ''
    if (this.#total) {
      options.log.warn({ reason: options.suspicion },
        'the tables are doubted: nothing is decided until all brokers have registered')
    }
  }

  /** While true no broker gets the tables' word for what there is. */
  get isTotal (): boolean { return this.#total }

  /** May a topic of this name be made or deleted? Not while there may be one that the tables do not know. */
  mayChange (name: string): boolean {
    return !this.#total && ![...this.#unknown.values()].includes(name)
  }

  isFrozen (table: string): boolean { return this.#total || this.#frozen.has(table) }

  /** Compares what a broker knows with the tables. */
  joined (session: BrokerSession): void {
    const { tables, removals, log } = this.#options
    for (const report of session.replicas.values()) {
      const { topicId, partition, row } = report
      if (row === undefined) continue
      const shelf = tables.shelfOfTopic(topicId)
      if (shelf === undefined) {
        if (removals.isDeleted(topicId) || this.#unknown.has(topicId)) continue
        this.#unknown.set(topicId, report.topic)
        log.warn({ topicId, topic: report.topic, brokerId: session.brokerId },
          'a broker has a replica of a topic that no table names')
        continue
      }
      const { table } = shelf.writer
      if (!isNewerRow(row, findRow(table, topicId, partition)) || this.isFrozen(table.name)) continue
      this.#frozen.set(table.name, `broker ${session.brokerId} knows a newer row of ${topicId}-${partition}`)
      log.warn({ table: table.name, topicId, partition, brokerId: session.brokerId },
        'a broker knows a newer row than the table: nothing in it is decided until all its brokers have registered')
    }
  }

  get #isRestoring (): boolean { return this.#total || this.#frozen.size > 0 || this.#unknown.size > 0 }

  /**
   * RestoreTables: how things stand, and, unless it is a dry run, brokers that are not waited for any more. Then
   * answers when what can be restored is. Rejects with INVALID_REQUEST, or like TableWriter.
   */
  async asked ({ dryRun, without }: RestoreTablesRequest): Promise<Sent<RestoreTablesResponse>> {
    const missing = this.#missing()
    const strangers = without.filter(brokerId => !missing.includes(brokerId) && !this.#waived.has(brokerId))
    if (strangers.length > 0) {
      throw new WireError('INVALID_REQUEST', this.#isRestoring
        ? `not waited for: brokers ${strangers.join(', ')}; waited for are ${missing.join(', ')}`
        : 'nothing is being restored: no broker is waited for')
    }
    if (dryRun) return { tables: this.#describe(missing.filter(brokerId => !without.includes(brokerId))) }
    if (without.length > 0) await this.#waive(without)
    this.look()
    await this.#work
    return { tables: this.#describe(this.#isRestoring ? this.#missing() : []) }
  }

  /** As a person does by hand: the next controller is to know it too. */
  async #waive (without: readonly number[]): Promise<void> {
    const all = [...new Set([...this.#waived, ...without])].sort((a, b) => a - b)
    await submit(this.#options.tables.root, draft => { draft.annotate(waiverAnnotation, all.join(',')) })
    this.#waived = new Set(all)
    this.#options.log.warn({ without }, 'restoring: a person waived brokers; what only they know is lost')
  }

  #describe (waitingFor: readonly number[]): Sent<TableRestore>[] {
    const { tables, controllerEpoch, suspicion } = this.#options
    const reports = this.#reports()
    let room = limits.rowsPerPushMax
    const described = tables.all().map((table): Sent<TableRestore> => {
      const reason = this.#frozen.get(table.name) ?? (this.#total ? suspicion : '')
      if (reason === '') return { table: table.name }
      const { rows, undecided } = plannedRows(table, reports, controllerEpoch)
      const told = rows.slice(0, room)
      room -= told.length
      return { table: table.name, reason, waitingFor, rows: told, undecided: undecided.slice(0, limits.rowsPerPushMax) }
    })
    for (const topicId of [...new Set([...this.#unknown.keys(), ...this.#undecidable.keys()])].sort()) {
      const { rows, undecided } = plannedTopic(topicId, reports, controllerEpoch)
      const told = rows.slice(0, room)
      room -= told.length
      const reason = this.#undecidable.get(topicId) ??
        `no table names topic '${this.#unknown.get(topicId)!}', ${topicId}`
      described.push({ table: '', reason, waitingFor, rows: told, undecided })
    }
    return described
  }

  /** Restores what can be. Called regularly, and when brokers come. */
  look (): void {
    if (this.#work !== undefined || !this.#isRestoring) return
    const missing = this.#missing()
    if (missing.length > 0 || !this.#enough()) {
      this.#tell(missing)
      return
    }
    this.#work = this.#restore().catch((error: unknown) => {
      // The office is over; whoever has it next begins anew.
      if (!(error instanceof WireError)) throw error
    }).finally(() => { this.#work = undefined })
  }

  /** Reads whom a person has waived. Rejects like TableStore.read. */
  async readWaivers (): Promise<void> {
    if (!this.#isRestoring) return
    const { store, tables } = this.#options
    const root = await store.read(tables.root.writer.table.name)
    const text = root === undefined ? '' : annotation(root, waiverAnnotation) ?? ''
    this.#waived = new Set(text.split(',').filter(id => /^\s*\d+\s*$/.test(id)).map(Number))
  }

  /** Brokers that tables, replicas or the controller before name and that have not registered. */
  #missing (): number[] {
    const { roster, tables, brokersKnown = [] } = this.#options
    const named = new Set([...tables.brokers().keys(), ...this.#total ? brokersKnown : []])
    for (const table of tables.all()) {
      for (const rows of table.rows.values()) for (const row of rows) for (const id of row.replicas) named.add(id)
    }
    for (const session of roster.sessions()) {
      for (const report of session.replicas.values()) for (const id of report.row?.replicas ?? []) named.add(id)
    }
    return [...named].filter(id => roster.session(id) === undefined && !this.#waived.has(id)).sort((a, b) => a - b)
  }

  /**
   * Without a root table nobody knows who there was, but for the size that the cluster was to have when this process
   * started: one that has heard of a controller since knows better, which brokers were removed too.
   */
  #enough (): boolean {
    const { roster, brokersExpected, brokersKnown } = this.#options
    return !this.#total || brokersKnown !== undefined || roster.sessions().length + this.#waived.size >= brokersExpected
  }

  #tell (missing: readonly number[]): void {
    const text = missing.join(', ')
    if (this.#told === text) return
    this.#told = text
    this.#options.log.warn({ missing }, `restoring: waits for brokers ${text}; one that will not come back is ` +
      `waived by kubectl annotate partitiontable ${this.#options.tables.root.writer.table.name} ${waiverAnnotation}=ID`)
  }

  async #restore (): Promise<void> {
    const { tables, log, changed } = this.#options
    const reports = this.#reports()
    for (const shelf of [...tables.shelves()]) {
      const { name } = shelf.writer.table
      if (!this.isFrozen(name)) continue
      await submit(shelf, draft => { restoreRows(draft, reports, this.#options.controllerEpoch) })
      this.#frozen.delete(name)
      log.warn({ table: name }, 'table restored from what brokers reported')
    }
    for (const topicId of [...this.#unknown.keys()].sort()) {
      await this.#restoreTopic(topicId, reports)
      this.#unknown.delete(topicId)
    }
    await this.#finish(tables.root)
    this.#told = ''
    changed()
  }

  async #restoreTopic (topicId: string, reports: ReadonlyMap<string, readonly ReplicaReport[]>): Promise<void> {
    const { tables, log, removals, controllerEpoch } = this.#options
    const ofTopic = reportsOf(topicId, reports)
    const name = ofTopic.find(report => report.topic !== '')?.topic ?? ''
    if (ofTopic.length === 0 || tables.shelfOfTopic(topicId) !== undefined || removals.isDeleted(topicId)) return
    const gaps = undecidable(ofTopic)
    if (name === '' || tables.topicByName(name) !== undefined || gaps.length > 0) {
      if (!this.#undecidable.has(topicId)) {
        log.error({ topicId, topic: name, partitions: gaps },
          'a topic cannot be restored: no broker knows these partitions, or its name is taken')
      }
      this.#undecidable.set(topicId, `topic '${name}', ${topicId}, cannot be restored: ` +
        (gaps.length > 0 ? 'no broker knows some of its partitions' : 'its name is taken'))
      return
    }
    const partitions = Math.max(...ofTopic.map(report => report.partition)) + 1
    await tables.operate(name, topicBytes({ name, partitions, replicas: 3 }), draft => {
      restoreTopic(draft, topicId, name, ofTopic, controllerEpoch)
    })
    log.warn({ topicId, topic: name, partitions },
      'topic restored from what brokers reported; its settings come with its Topic')
  }

  async #finish (root: Shelf): Promise<void> {
    await submit(root, draft => {
      draft.annotate(restoringAnnotation, undefined)
      // Who was waived once is not waived for good.
      draft.annotate(waiverAnnotation, undefined)
    })
    this.#waived = new Set()
    if (!this.#total) return
    this.#total = false
    this.#options.log.warn({}, 'the tables are restored')
  }

  /** What all brokers that are here reported, by partition. */
  #reports (): Map<string, ReplicaReport[]> {
    const reports = new Map<string, ReplicaReport[]>()
    for (const session of this.#options.roster.sessions()) {
      for (const report of session.replicas.values()) {
        const key = partitionKeyText(report.topicId, report.partition)
        const others = reports.get(key)
        if (others === undefined) reports.set(key, [report])
        else others.push(report)
      }
    }
    return reports
  }
}
