// A Table to and from its PartitionTable object. The operator's schema generates the CRD with exactly
// these fields; rows are text (row-text.ts).
import type { BrokerInfo, PartitionRow, ReplicaIdentity } from '../../wire/messages.ts'
import type { KubeKind, KubeObject } from '../io/ports.ts'
import { identityText } from '../row.ts'
import { decodeRow, encodeRow, TableFormatError } from './row-text.ts'
import type { Table, TopicEntry } from './table.ts'

export const tableKind: KubeKind = { apiVersion: 'millrace.dev/v1alpha1', plural: 'partitiontables' }
export const clusterLabel = 'millrace.dev/cluster'

interface TableSpec {
  controllerEpoch: number
  writeId: string
  tables: readonly string[]
  brokers: readonly object[]
  identities: readonly string[]
  topics: readonly object[]
  rows: readonly string[]
}

/** The object to write; carries the uid and resourceVersion that the table was decided from. */
export function encodeTable (table: Table): KubeObject {
  // The server works out field ownership anew.
  const { managedFields: _, ...kept } = table.metadata
  const metadata = {
    ...kept,
    name: table.name,
    ...table.uid !== '' && { uid: table.uid },
    ...table.resourceVersion !== '' && { resourceVersion: table.resourceVersion }
  }
  return { apiVersion: tableKind.apiVersion, kind: 'PartitionTable', metadata, spec: encodeSpec(table) }
}

/** About what the object takes in the Kubernetes API. */
export function tableBytes (table: Table): number {
  return JSON.stringify(encodeTable(table)).length
}

function encodeSpec (table: Table): TableSpec {
  const indexes = new Map<string, number>()
  const indexOf = (identity: ReplicaIdentity): number => {
    const text = identityText(identity)
    const known = indexes.get(text)
    if (known !== undefined) return known
    indexes.set(text, indexes.size)
    return indexes.size - 1
  }
  const rows: string[] = []
  let index = 0
  for (const topicId of table.topics.keys()) {
    for (const row of table.rows.get(topicId) ?? []) rows.push(encodeRow(row, index, indexOf))
    index += 1
  }
  return {
    controllerEpoch: table.controllerEpoch,
    writeId: table.writeId,
    tables: table.tables,
    brokers: [...table.brokers.values()].map(encodeBroker),
    identities: [...indexes.keys()],
    topics: [...table.topics.values()].map(encodeTopic),
    rows
  }
}

function encodeBroker (broker: BrokerInfo): object {
  const {
    brokerId: id, brokerEpoch: epoch, volumeId, incarnation, fenced, stopping, clientAddress, peerAddress, rack,
    draining, listeners, maintenance
  } = broker
  return {
    id, volumeId, epoch, incarnation, fenced, stopping, clientAddress, peerAddress, rack, ...draining && { draining },
    ...listeners.length > 0 && { listeners }, ...maintenance && { maintenance }
  }
}

function encodeTopic (topic: TopicEntry): object {
  const { topicId: id, ...rest } = topic
  return { id, ...rest }
}

/** Throws TableFormatError when the object is not a table that this version reads. */
export function decodeTable (object: KubeObject): Table {
  const { name, uid, resourceVersion } = object.metadata
  if (uid === undefined || resourceVersion === undefined) throw new TableFormatError(`${name} was never stored`)
  const spec = new Reader(object['spec'], `PartitionTable ${name}`)
  const topics = spec.objects('topics').map(decodeTopic)
  const references = {
    topics: topics.map(topic => topic.topicId),
    identities: spec.strings('identities').map(decodeIdentity)
  }
  const rows = new Map<string, PartitionRow[]>()
  for (const topic of topics) rows.set(topic.topicId, [])
  for (const text of spec.strings('rows')) {
    const row = decodeRow(text, references)
    const ofTopic = rows.get(row.topicId)
    if (ofTopic?.length !== row.partition) throw new TableFormatError(`${name}: row '${text}' is out of order`)
    ofTopic.push(row)
  }
  return {
    name,
    uid,
    resourceVersion,
    metadata: object.metadata,
    controllerEpoch: spec.integer('controllerEpoch'),
    writeId: spec.string('writeId'),
    tables: spec.strings('tables'),
    brokers: new Map(spec.objects('brokers').map(decodeBroker).map(broker => [broker.brokerId, broker])),
    topics: new Map(topics.map(topic => [topic.topicId, topic])),
    rows
  }
}

function decodeBroker (fields: Reader): BrokerInfo {
  return {
    brokerId: fields.integer('id'),
    volumeId: fields.string('volumeId'),
    brokerEpoch: fields.integer('epoch'),
    incarnation: fields.string('incarnation'),
    fenced: fields.boolean('fenced'),
    stopping: fields.boolean('stopping'),
    clientAddress: fields.string('clientAddress'),
    peerAddress: fields.string('peerAddress'),
    rack: fields.string('rack'),
    draining: fields.boolean('draining'),
    listeners: fields.objects('listeners')
      .map(each => ({ name: each.string('name'), address: each.string('address') })),
    maintenance: fields.boolean('maintenance')
  }
}

function decodeTopic (fields: Reader): TopicEntry {
  return {
    topicId: fields.string('id'),
    name: fields.string('name'),
    internal: fields.boolean('internal'),
    partitions: fields.integer('partitions'),
    replicas: fields.integer('replicas'),
    minInSync: fields.integer('minInSync'),
    retentionMs: fields.integer('retentionMs'),
    retentionBytes: fields.integer('retentionBytes'),
    segmentBytes: fields.integer('segmentBytes'),
    deleting: fields.boolean('deleting'),
    orphaned: fields.boolean('orphaned'),
    ownerUid: fields.string('ownerUid')
  }
}

function decodeIdentity (text: string): ReplicaIdentity {
  const match = /^(\d{1,10})\/([0-9a-f]{16})\/(\d{1,16})$/.exec(text)
  if (match === null) throw new TableFormatError(`not an identity: '${text.slice(0, 100)}'`)
  const [, brokerId, volumeId, replicaGen] = match
  return { brokerId: Number(brokerId), volumeId: volumeId ?? '', replicaGen: Number(replicaGen) }
}

/** Typed reads of an object's fields; absent ones have their zero value, as the API server may drop those. */
class Reader {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #where: string

  constructor (value: unknown, where: string) {
    if (typeof value !== 'object' || value === null) throw new TableFormatError(`${where} is not an object`)
    this.#fields = value as Readonly<Record<string, unknown>>
    this.#where = where
  }

  string (name: string): string {
    const value = this.#fields[name] ?? ''
    if (typeof value !== 'string') throw new TableFormatError(`${this.#where}.${name} is not a string`)
    return value
  }

  integer (name: string): number {
    const value = this.#fields[name] ?? 0
    if (!Number.isSafeInteger(value)) throw new TableFormatError(`${this.#where}.${name} is not an integer`)
    return value as number
  }

  boolean (name: string): boolean {
    const value = this.#fields[name] ?? false
    if (typeof value !== 'boolean') throw new TableFormatError(`${this.#where}.${name} is not true or false`)
    return value
  }

  strings (name: string): string[] {
    return this.#array(name).map(item => {
      if (typeof item !== 'string') throw new TableFormatError(`${this.#where}.${name} has more than strings`)
      return item
    })
  }

  objects (name: string): Reader[] {
    return this.#array(name).map((item, index) => new Reader(item, `${this.#where}.${name}[${index}]`))
  }

  #array (name: string): unknown[] {
    const value = this.#fields[name] ?? []
    if (!Array.isArray(value)) throw new TableFormatError(`${this.#where}.${name} is not a list`)
    return value
  }
}
