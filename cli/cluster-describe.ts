// millrace cluster describe: the Cluster object, in words or as its status in JSON.
import { findCluster, withKube } from './kube.ts'
import type { KubeOptions } from './kube.ts'
import { exitCodes } from './exit.ts'
import { print } from './output.ts'
import { orDash, table } from './table.ts'
import type { Cluster } from '../operator/schema/resources.ts'

export interface ClusterDescribeOptions extends KubeOptions {
  readonly cluster?: string
  readonly json?: boolean
}

export async function clusterDescribe (options: ClusterDescribeOptions): Promise<number> {
  const cluster = await withKube(options, kube => findCluster(kube, options.cluster))
  await print(options.json === true ? `${JSON.stringify(cluster.status ?? {}, undefined, 2)}\n` : asText(cluster))
  return exitCodes.ok
}

function asText (cluster: Cluster): string {
  const { metadata, status = {} } = cluster
  const { brokers, partitions, conditions = [] } = status
  const facts: [string, string][] = [
    ['Cluster', `${metadata.namespace ?? ''}/${metadata.name}`],
    ['Phase', orDash(status.phase)],
    ['Version', orDash(status.version)],
    ['Brokers', `${brokers?.ready ?? 0} of ${brokers?.total ?? 0} ready`],
    ['Controller', orDash(status.controller)],
    ['Partitions', `${partitions?.total ?? 0}: ${partitions?.offline ?? 0} offline, ` +
      `${partitions?.underMinInSync ?? 0} under minInSync, ${partitions?.underReplicated ?? 0} under-replicated`],
    ['Bootstrap', orDash(status.bootstrap)]
  ]
  const { moves, draining = [] } = status
  if ((moves?.underWay ?? 0) > 0) {
    const rest = moves?.bytesLeft === undefined ? '' : `, ${moves.bytesLeft} bytes to copy`
    facts.push(['Moves', `${moves?.underWay ?? 0} under way${rest}; see: millrace partition list --moving`])
  }
  const text = facts.map(([name, value]) => `${name.padEnd(12)}${value}\n`).join('')
  const drains = draining.length === 0
    ? ''
    : `\n${table(['DRAINING', 'REPLICAS-LEFT', 'DATA-LEFT', 'WAITS-FOR'], draining.map(each =>
      [`broker ${each.broker}`, each.replicasLeft, each.dataLeft, orDash(each.waitingFor)]))}`
  if (conditions.length === 0) return text + drains
  return `${text}${drains}\n${table(['CONDITION', 'STATUS', 'REASON', 'MESSAGE'],
    conditions.map(({ type, status: holds, reason, message }) => [type, holds, reason, message]))}`
}
