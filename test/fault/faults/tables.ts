// What the PartitionTables of a run say: the truth about leaders and in-sync sets.
import { brokersOf, liveMembers } from '../../../broker/controller/describe.ts'
import type { Table } from '../../../broker/controller/table.ts'
import { decodeTable } from '../../../broker/controller/table-codec.ts'
import type { KubeObject as PortObject } from '../../../broker/io/ports.ts'
import type { PartitionRow } from '../../../broker/row.ts'
import type { BrokerInfo } from '../../../wire/messages.ts'
import type { KubeApi, KubeObject } from '../../../local/kube/api.ts'

/** What is read of the API: the embedded one, or what a real one has answered. */
export type Tables = Pick<KubeApi, 'list'>

export interface Placed {
  /** 'orders-3' */
  readonly key: string
  readonly topic: string
  readonly row: PartitionRow
}

function tablesOf (api: Tables): Table[] {
  return api.list('partitiontables.millrace.dev').map(object => decodeTable(object as unknown as PortObject))
}

export function placedRows (api: Tables): Placed[] { return placedIn(tablesOf(api)) }

/** Of one PartitionTable. */
export function rowsOfTable (table: KubeObject): Placed[] {
  return placedIn([decodeTable(table as unknown as PortObject)])
}

function placedIn (tables: readonly Table[]): Placed[] {
  const placed: Placed[] = []
  for (const table of tables) {
    for (const [topicId, rows] of table.rows) {
      const { name: topic } = table.topics.get(topicId)!
      for (const row of rows) placed.push({ key: `${topic}-${row.partition}`, topic, row })
    }
  }
  return placed
}

/** In order of id. */
export function registeredBrokers (api: Tables): BrokerInfo[] {
  return [...brokersOf(tablesOf(api)).values()].sort((a, b) => a.brokerId - b.brokerId)
}

/** How often the broker's volume had been opened when it registered last (the brokerEpoch), 0 for never. */
export function registeredEpoch (api: Tables, broker: number): number {
  return Math.max(0, ...tablesOf(api).map(({ brokers }) => brokers.get(broker)?.brokerEpoch ?? 0))
}

/** Empty when every partition has a leader and all its replicas live and in sync; otherwise what is missing. */
export function notWhole (api: Tables): string {
  const tables = tablesOf(api)
  const brokers = brokersOf(tables)
  const lacking = placedIn(tables).filter(({ row }) =>
    row.leader < 0 || row.inSync.length !== row.replicas.length || row.adding.length + row.removing.length > 0 ||
    liveMembers(row, brokers).length !== row.inSync.length)
  const [first] = lacking
  if (first === undefined) return ''
  const { row } = first
  return `${lacking.length} partitions are not whole; ${first.key}: leader ${row.leader}, replicas ` +
    `${row.replicas.join()}, in sync ${liveMembers(row, brokers).map(each => each.brokerId).join()}`
}

/** The broker that the Lease names, -1 for none. */
export function controllerOf (api: KubeApi, cluster: string): number {
  const lease = api.get('leases.coordination.k8s.io', 'default', `${cluster}-controller`)
  const holder = (lease?.spec as { holderIdentity?: string } | undefined)?.holderIdentity
  return holder === undefined || holder === '' ? -1 : Number(holder)
}
