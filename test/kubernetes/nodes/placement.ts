// Where the controller takes brokers to be, and where it put a topic: replicas of one partition are in different racks.
import { expect } from 'vitest'
import { decodeTable } from '../../../broker/controller/table-codec.ts'
import type { KubeObject } from '../../../broker/io/ports.ts'
import { clusterOfTable } from '../../../operator/objects/names.ts'
import type { Any } from '../../local/kube/client.ts'
import { placedRows } from '../../fault/faults/tables.ts'
import { pathOf } from '../objects.ts'
import { hallLabel } from './node.ts'
import type { Nodes } from './nodes.ts'

export interface Placement {
  /** By broker id, as they registered. */
  readonly racks: ReadonlyMap<number, string>
  /** Of each partition. */
  readonly replicas: readonly (readonly number[])[]
}

async function placement (nodes: Nodes, cluster: string, topic: string): Promise<Placement> {
  const { body } = await nodes.client().get(pathOf('partitiontables.millrace.dev', 'default'))
  const all = (body as Any).items as KubeObject[]
  const tables = all.filter(({ metadata: { name } }) => clusterOfTable(name) === cluster)
  const brokers = tables.flatMap(table => [...decodeTable(table).brokers.values()])
  const rows = placedRows({ list: () => tables as Any }).filter(each => each.topic === topic)
  return {
    racks: new Map(brokers.map(({ brokerId, rack }) => [brokerId, rack])),
    replicas: rows.map(({ row }) => row.replicas)
  }
}

export const clusterOfHalls = `---
apiVersion: millrace.dev/v1alpha1
kind: Cluster
metadata: {name: halls}
spec: {brokers: 3, storage: {size: 1Gi, className: local, deletePolicy: Delete}, topologyKey: ${hallLabel}}
`

/**
 * Makes a Topic with two replicas in a Cluster, looks where they are, and deletes it.
 * @param rackOf of the node that a broker runs on
 * @returns the racks that there are
 */
export async function expectApart (nodes: Nodes, cluster: string, brokers: number,
  rackOf: (pod: string) => Promise<string>): Promise<ReadonlySet<string>> {
  const topic = `${cluster}-apart`
  const partitions = 12
  await nodes.kubectlWith(`---
apiVersion: millrace.dev/v1alpha1
kind: Topic
metadata: {name: ${topic}}
spec: {cluster: ${cluster}, partitions: ${partitions}, replicas: 2, minInSync: 1, deletePolicy: Delete}
`, 'apply', '-f', '-')
  await nodes.kubectl('wait', `topic/${topic}`, '--for=condition=Ready', '--timeout=120s')
  const { racks, replicas } = await placement(nodes, cluster, topic)
  for (const [broker, rack] of racks) expect(rack).toBe(await rackOf(`${cluster}-${broker}`))
  expect([racks.size, replicas.length]).toEqual([brokers, partitions])
  for (const [one, other] of replicas) expect(racks.get(one!), `${one}, ${other}`).not.toBe(racks.get(other!))
  await nodes.kubectl('delete', `topic/${topic}`, '--timeout=60s')
  return new Set(racks.values())
}
