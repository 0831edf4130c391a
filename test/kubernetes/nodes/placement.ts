// Where the controller takes brokers to be, and where it put a topic.
import { decodeTable } from '../../../broker/controller/table-codec.ts'
import type { KubeObject } from '../../../broker/io/ports.ts'
import type { Any } from '../../local/kube/client.ts'
import { placedRows } from '../../fault/faults/tables.ts'
import { pathOf } from '../objects.ts'
import type { Nodes } from './nodes.ts'

export interface Placement {
  /** By broker id, as they registered. */
  readonly zones: ReadonlyMap<number, string>
  /** Of each partition. */
  readonly replicas: readonly (readonly number[])[]
}

export async function placement (nodes: Nodes, topic: string): Promise<Placement> {
  const { body } = await nodes.client().get(pathOf('partitiontables.millrace.dev', 'default'))
  const tables = (body as Any).items as KubeObject[]
  const brokers = tables.flatMap(table => [...decodeTable(table).brokers.values()])
  const rows = placedRows({ list: () => tables as Any }).filter(each => each.topic === topic)
  return {
    zones: new Map(brokers.map(({ brokerId, rack }) => [brokerId, rack])),
    replicas: rows.map(({ row }) => row.replicas)
  }
}
