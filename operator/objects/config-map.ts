import type { KubeObject } from '../kube/types.ts'
import { parseBytes, unlimited } from '../schema/quantities.ts'
import type { Cluster } from '../schema/resources.ts'
import { hash } from './hash.ts'
import type { ListenerAddresses } from './listeners.ts'
import { configFile, names, owned } from './names.ts'

/** What broker/config.ts reads from MILLRACE_CONFIG, when it starts and again while it runs. */
interface BrokerFile {
  /**
   * How many brokers there are, or shall be when those are more: internal topics wait a moment for them at the first
   * start, and lost tables are restored only when all of them have said what they know; one that is drained too.
   */
  readonly brokers: number
  readonly logLevel: string
  /** What it sends to replicas that are catching up, all together; 0: no limit; left out: its default. */
  readonly learnerBytesPerSecond?: number
  readonly listeners?: readonly ListenerAddresses[]
}

function brokerFile (cluster: Cluster, brokers: number, listeners: readonly ListenerAddresses[]): BrokerFile {
  const { logLevel, rebalance } = cluster.spec
  const file = { brokers, logLevel, ...listeners.length > 0 && { listeners } }
  if (rebalance?.bytesPerSecond === undefined) return file
  const limit = parseBytes(rebalance.bytesPerSecond, 'spec.rebalance.bytesPerSecond')
  return { ...file, learnerBytesPerSecond: limit === unlimited ? 0 : limit }
}

/** @param brokers that are there, when those are more than there shall be */
export function configMap (cluster: Cluster, brokers: number = cluster.spec.brokers,
  listeners: readonly ListenerAddresses[] = []): KubeObject {
  return owned(cluster, 'v1', 'ConfigMap', names.configMap(cluster.metadata.name), {
    data: { [configFile]: `${JSON.stringify(brokerFile(cluster, brokers, listeners), undefined, 2)}\n` }
  })
}

/**
 * Hash of the settings that need a restart; on the pod template, so that their change is a roll. These are the ports
 * that are listened at: all else in the file is taken over by running brokers.
 */
export function configHash (cluster: Cluster): string {
  return hash((cluster.spec.listeners ?? []).map(({ name, port }) => ({ name, port })))
}
