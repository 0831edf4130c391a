// A PartitionTable in memory: what was read or written last, and drafts of what shall be written next.
import type { BrokerInfo, PartitionRow, TopicInfo } from '../../wire/messages.ts'
import { assert } from '../assert.ts'
import type { KubeObject } from '../io/ports.ts'

export interface TopicEntry extends TopicInfo {
  readonly ownerUid: string
}

/** As stored under `resourceVersion`. Never changed in place: rows that are the same object are the same row. */
export interface Table {
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  /** Labels, annotations and whatever else people put there: written back as it was. */
  readonly metadata: KubeObject['metadata']
  /** The controller that wrote it last: no lower one can write it any more. */
  readonly controllerEpoch: number
  /** Random, new in each write, so that a writer recognises its own. */
  readonly writeId: string
  /** Names of the other tables; in the root alone. */
  readonly tables: readonly string[]
  /** In the root alone. */
  readonly brokers: ReadonlyMap<number, BrokerInfo>
  readonly topics: ReadonlyMap<string, TopicEntry>
  /** By topicId, in order of partition. */
  readonly rows: ReadonlyMap<string, readonly PartitionRow[]>
}

export function rootName (cluster: string): string {
  return `${cluster}-0`
}

/** A table that is not stored yet: empty uid and resourceVersion. */
export function emptyTable (metadata: KubeObject['metadata']): Table {
  return {
    name: metadata.name,
    uid: '',
    resourceVersion: '',
    metadata,
    controllerEpoch: 0,
    writeId: '',
    tables: [],
    brokers: new Map(),
    topics: new Map(),
    rows: new Map()
  }
}

export function annotation (table: Table, name: string): string | undefined {
  return table.metadata.annotations?.[name]
}

/** Undefined removes it. */
export function withAnnotation (table: Table, name: string, value: string | undefined): Table {
  const annotations: Record<string, string> = { ...table.metadata.annotations }
  if (value === undefined) delete annotations[name]
  else annotations[name] = value
  return { ...table, metadata: { ...table.metadata, annotations } }
}

export function findRow (table: Table, topicId: string, partition: number): PartitionRow | undefined {
  return table.rows.get(topicId)?.[partition]
}

/** Changes on top of a table; the table itself stays as it is. */
export class TableDraft {
  readonly base: Table
  #changed = false
  #metadata: Table['metadata'] | undefined
  #tables: string[] | undefined
  #brokers: Map<number, BrokerInfo> | undefined
  #topics: Map<string, TopicEntry> | undefined
  #rows: Map<string, readonly PartitionRow[]> | undefined
  /** Arrays that this draft made, to be changed in place. */
  readonly #own = new Map<string, PartitionRow[]>()

  constructor (base: Table) {
    this.base = base
  }

  get changed (): boolean { return this.#changed }
  get tables (): readonly string[] { return this.#tables ?? this.base.tables }
  get brokers (): ReadonlyMap<number, BrokerInfo> { return this.#brokers ?? this.base.brokers }
  get topics (): ReadonlyMap<string, TopicEntry> { return this.#topics ?? this.base.topics }

  rows (topicId: string): readonly PartitionRow[] {
    return (this.#rows ?? this.base.rows).get(topicId) ?? []
  }

  row (topicId: string, partition: number): PartitionRow | undefined {
    return this.rows(topicId)[partition]
  }

  /** Replaces a row, or adds the next one of its topic. */
  setRow (row: PartitionRow): void {
    const { topicId, partition } = row
    assert(this.topics.has(topicId), 'a row belongs to a topic of its table')
    let rows = this.#own.get(topicId)
    if (rows === undefined) {
      rows = [...this.rows(topicId)]
      this.#own.set(topicId, rows)
      this.#rows ??= new Map(this.base.rows)
      this.#rows.set(topicId, rows)
    }
    assert(partition <= rows.length, 'rows of a topic have no gaps')
    const old = rows[partition]
    assert(old === undefined || row.version > old.version || row.leaderEpoch > old.leaderEpoch,
      'every change of a row raises its version')
    assert(old === undefined || row.leaderEpoch >= old.leaderEpoch, 'leader epochs never fall')
    rows[partition] = row
    this.#changed = true
  }

  setTopic (topic: TopicEntry): void {
    this.#topics ??= new Map(this.base.topics)
    this.#topics.set(topic.topicId, topic)
    this.#changed = true
  }

  removeTopic (topicId: string): void {
    this.#topics ??= new Map(this.base.topics)
    this.#topics.delete(topicId)
    this.#rows ??= new Map(this.base.rows)
    this.#rows.delete(topicId)
    this.#own.delete(topicId)
    this.#changed = true
  }

  setBroker (broker: BrokerInfo): void {
    this.#brokers ??= new Map(this.base.brokers)
    this.#brokers.set(broker.brokerId, broker)
    this.#changed = true
  }

  removeBroker (brokerId: number): void {
    this.#brokers ??= new Map(this.base.brokers)
    if (this.#brokers.delete(brokerId)) this.#changed = true
  }

  /** Undefined removes the annotation. */
  annotate (name: string, value: string | undefined): void {
    const table = { ...this.base, metadata: this.#metadata ?? this.base.metadata }
    if (annotation(table, name) === value) return
    this.#metadata = withAnnotation(table, name, value).metadata
    this.#changed = true
  }

  addTable (name: string): void {
    this.#tables = [...this.tables, name]
    this.#changed = true
  }

  /** What the table is once the write of this draft has landed under `resourceVersion`. */
  finish (controllerEpoch: number, writeId: string): Table {
    return {
      ...this.base,
      metadata: this.#metadata ?? this.base.metadata,
      controllerEpoch,
      writeId,
      tables: this.tables,
      brokers: this.brokers,
      topics: this.topics,
      rows: this.#rows ?? this.base.rows
    }
  }
}

export function sameBroker (a: BrokerInfo | undefined, b: BrokerInfo): boolean {
  return a !== undefined && a.brokerId === b.brokerId && a.volumeId === b.volumeId &&
    a.brokerEpoch === b.brokerEpoch && a.incarnation === b.incarnation && a.fenced === b.fenced &&
    a.stopping === b.stopping && a.clientAddress === b.clientAddress && a.peerAddress === b.peerAddress &&
    a.rack === b.rack && a.draining === b.draining && a.maintenance === b.maintenance &&
    sameListeners(a.listeners, b.listeners)
}

function sameListeners (a: BrokerInfo['listeners'], b: BrokerInfo['listeners']): boolean {
  return a.length === b.length &&
    a.every(({ name, address }, index) => name === b[index]?.name && address === b[index].address)
}
