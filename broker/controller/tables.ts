// Every table of the cluster with its writer and its desk; where topics are, and where new ones go.
import { WireError } from '../../wire/errors.ts'
import type { BrokerInfo, PartitionRow } from '../../wire/messages.ts'
import type { Clock } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import { OfficeLost } from './api.ts'
import { Desk } from './desk.ts'
import type { Bureau } from './desk.ts'
import { loadOf } from './placement.ts'
import type { Load } from './placement.ts'
import type { TableStore } from './store.ts'
import type { Table, TableDraft, TopicEntry } from './table.ts'
import { TableWriter } from './writer.ts'
import type { Decision } from './writer.ts'
import type { Takeover } from './takeover.ts'

/** New topics leave room for the partitions that topics get later. */
const fillMax = 0.75 * limits.tableBytesMax
const growthMax = 0.95 * limits.tableBytesMax

const brokerBytes = 400

/** What a topic takes in its table, also when some of its replicas have been made again since. */
export function topicBytes (topic: { name: string, partitions: number, replicas: number }): number {
  return 400 + topic.name.length + topic.partitions * (60 + 20 * topic.replicas)
}

export interface Shelf {
  readonly writer: TableWriter
  readonly desk: Desk
}

export interface TablesOptions {
  readonly clock: Clock
  readonly store: TableStore
  readonly bureau: Bureau
  readonly takeover: Takeover
  /** Brings the brokers of the root table up to date; with `hold` only what cannot wait for an election. */
  decideBrokers (draft: TableDraft, hold: boolean): void
  /** What was decided of them is stored, or nothing had to be. */
  rootSettled (): void
  written (before: Table, after: Table): void
  lost (reason: string, doubt: boolean): void
}

export class Tables {
  readonly #options: TablesOptions
  readonly #rootName: string
  readonly #shelves = new Map<string, Shelf>()
  /** Which table has the topic of a name; topics that are being deleted do not count. */
  readonly #byName = new Map<string, Shelf>()
  /** Bytes that queued operations will need, by table. */
  readonly #reserved = new Map<string, number>()
  #load: Load | undefined
  #adding: Promise<Shelf> | undefined

  constructor (options: TablesOptions) {
    this.#options = options
    const { root, tables } = options.takeover
    this.#rootName = root.name
    this.#shelve(root)
    for (const table of tables.values()) this.#shelve(table)
  }

  get root (): Shelf { return this.#shelf(this.#rootName) }

  /** As stored; the root first. */
  all (): Table[] {
    return [...this.#shelves.values()].map(shelf => shelf.writer.table)
  }

  /** Every row of every table. */
  * rows (): Generator<PartitionRow> {
    for (const table of this.all()) for (const rows of table.rows.values()) yield * rows
  }

  shelves (): Iterable<Shelf> { return this.#shelves.values() }

  brokers (): ReadonlyMap<number, BrokerInfo> { return this.root.writer.table.brokers }

  /** Everything is looked at again: brokers came, went or told news. */
  kick (): void {
    for (const { writer } of this.#shelves.values()) writer.kick()
  }

  stop (error: WireError): void {
    for (const { writer, desk } of this.#shelves.values()) {
      writer.stop()
      desk.close(error, writer.table)
    }
  }

  /** The topic that has the name now. */
  topicByName (name: string): TopicEntry | undefined {
    const table = this.#byName.get(name)?.writer.table
    return table === undefined ? undefined : liveTopic(table.topics.values(), name)
  }

  shelfOfTopic (topicId: string): Shelf | undefined {
    for (const shelf of this.#shelves.values()) if (shelf.writer.table.topics.has(topicId)) return shelf
    return undefined
  }

  shelfByName (name: string): Shelf | undefined { return this.#byName.get(name) }

  /** How partitions lie over the brokers now; what is placed may be counted in until the next write. */
  load (): Load {
    if (this.#load !== undefined) return this.#load
    this.#load = loadOf(this.rows())
    return this.#load
  }

  /**
   * Queues an operation on the table that has the topic of this name, or will have it. Resolves with
   * the table as stored, rejects with the operation's WireError.
   *
   * @param bytes that it adds to the table
   */
  async operate (name: string, bytes: number, run: (draft: TableDraft) => void): Promise<Table> {
    const known = this.#byName.get(name)
    const exists = known !== undefined
    if (bytes > growthMax || (known !== undefined && bytes > 0 && this.#filled(known) + bytes > growthMax)) {
      throw new WireError('INVALID_TOPIC',
        `topic '${name}' is too large: its partitions and replicas do not fit into one table`)
    }
    const shelf = known === undefined ? await this.#claim(name, bytes) : this.#reserve(known, bytes)
    try {
      return await submit(shelf, run, true)
    } catch (error) {
      // The name was only claimed.
      if (!exists && this.#byName.get(name) === shelf && this.topicByName(name) === undefined) this.#byName.delete(name)
      throw error
    } finally {
      this.#reserve(shelf, -bytes)
    }
  }

  /** Finds room for a topic of a new name, and takes both. */
  async #claim (name: string, bytes: number): Promise<Shelf> {
    for (;;) {
      // Somebody else may have made the topic, or filled the table, while a table was made.
      const shelf = this.#byName.get(name) ?? this.#roomFor(bytes)
      if (shelf !== undefined) {
        this.#byName.set(name, shelf)
        return this.#reserve(shelf, bytes)
      }
      await this.#addShelf()
    }
  }

  #roomFor (bytes: number): Shelf | undefined {
    for (const [name, shelf] of this.#shelves) {
      const isEmpty = shelf.writer.table.topics.size === 0 && name !== this.#rootName
      if (this.#filled(shelf) + bytes <= (isEmpty ? growthMax : fillMax)) return shelf
    }
    return undefined
  }

  /** By the same generous guess as for what is to come, queued operations included. */
  #filled ({ writer }: Shelf): number {
    const { table } = writer
    let bytes = this.#reserved.get(table.name) ?? 0
    for (const topic of table.topics.values()) bytes += topicBytes(topic)
    return bytes + (table.name === this.#rootName ? limits.brokersMax * brokerBytes : 0)
  }

  #reserve (shelf: Shelf, bytes: number): Shelf {
    const { name } = shelf.writer.table
    this.#reserved.set(name, (this.#reserved.get(name) ?? 0) + bytes)
    return shelf
  }

  #addShelf (): Promise<Shelf> {
    this.#adding ??= this.#makeTable().finally(() => { this.#adding = undefined })
    return this.#adding
  }

  /** Made first, named in the root second: an unnamed table is inert, whoever made it. */
  async #makeTable (): Promise<Shelf> {
    const { store, takeover } = this.#options
    const { tables } = this.root.writer.table
    let index = 1
    while (tables.includes(`${store.cluster}-${index}`)) index += 1
    const name = `${store.cluster}-${index}`
    const empty = { ...store.newTable(name), controllerEpoch: takeover.controllerEpoch }
    let table = empty
    for (;;) {
      const outcome = await store.put({ ...table, writeId: store.newWriteId() })
      if (outcome.kind === 'landed') {
        await submit(this.root, draft => { draft.addTable(name) })
        return this.#shelve(outcome.table)
      }
      if (outcome.kind === 'not-written') continue
      const { found } = outcome
      if (found !== undefined && found.controllerEpoch > takeover.controllerEpoch) {
        throw new OfficeLost(`${name} has a newer stamp`)
      }
      // Left by a controller that did not come to name it: whatever it holds was never valid.
      table = found === undefined ? empty
        : { ...empty, uid: found.uid, resourceVersion: found.resourceVersion, metadata: found.metadata }
    }
  }

  #shelf (name: string): Shelf {
    const shelf = this.#shelves.get(name)
    if (shelf === undefined) throw new TypeError(`no table ${name}`)
    return shelf
  }

  #shelve (table: Table): Shelf {
    const { clock, store, bureau, takeover, lost } = this.#options
    const desk = new Desk(bureau)
    const isRoot = table.name === this.#rootName
    const writer = new TableWriter(table, {
      clock,
      store,
      controllerEpoch: takeover.controllerEpoch,
      decide: draft => isRoot ? this.#decideRoot(desk, draft) : desk.decide(draft),
      written: (before, after) => { this.#written(before, after) },
      lost
    })
    const shelf = { writer, desk }
    this.#shelves.set(table.name, shelf)
    for (const topic of table.topics.values()) if (!topic.deleting) this.#byName.set(topic.name, shelf)
    return shelf
  }

  #decideRoot (desk: Desk, draft: TableDraft): Decision {
    const decision = desk.decide(draft)
    this.#options.decideBrokers(draft, desk.isHolding)
    return {
      landed: table => {
        this.#options.rootSettled()
        decision.landed(table)
      },
      dropped: () => { decision.dropped() },
      refused: decision.refused
    }
  }

  #written (before: Table, after: Table): void {
    this.#load = undefined
    const shelf = this.#shelf(after.name)
    for (const topic of before.topics.values()) {
      const now = after.topics.get(topic.topicId)
      if ((now === undefined || now.deleting) && this.#byName.get(topic.name) === shelf) this.#byName.delete(topic.name)
    }
    for (const topic of after.topics.values()) if (!topic.deleting) this.#byName.set(topic.name, shelf)
    this.#options.written(before, after)
  }
}

/** At most one topic of a name is not being deleted. */
export function liveTopic (topics: Iterable<TopicEntry>, name: string): TopicEntry | undefined {
  for (const topic of topics) if (topic.name === name && !topic.deleting) return topic
  return undefined
}

/**
 * Queues an operation on a table; rejects with its WireError.
 *
 * @param isOptional refused with TABLE_FULL when the table would become too large
 */
export function submit ({ writer, desk }: Shelf, run: (draft: TableDraft) => void, isOptional = false): Promise<Table> {
  return new Promise((resolve, reject) => {
    desk.add({
      isOptional,
      run,
      done: (table, error) => {
        if (error === undefined) resolve(table)
        else reject(error)
      }
    })
    writer.kick()
  })
}
