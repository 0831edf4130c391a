import type { KubeObject } from '../kube/types.ts'
import { parseBytes, unlimited } from '../schema/quantities.ts'
import type { Cluster } from '../schema/resources.ts'
import { hash } from './hash.ts'
import { configFile, names, owned } from './names.ts'

/** What broker/config.ts reads from MILLRACE_CONFIG. */
interface BrokerFile {
  /**
   * How many brokers there are, or shall be when those are more: internal topics wait a moment for them at the first
   * start, and lost tables are restored only when all of them have said what they know; one that is drained too.
   */
  readonly brokers: number
  /** What it sends to replicas that are catching up, all together; 0: no limit; left out: its default. */
  readonly learnerBytesPerSecond?: number
}

function brokerFile (cluster: Cluster, brokers: number): BrokerFile {
  const { rebalance } = cluster.spec
  if (rebalance?.bytesPerSecond === undefined) return { brokers }
  const limit = parseBytes(rebalance.bytesPerSecond, 'spec.rebalance.bytesPerSecond')
  return { brokers, learnerBytesPerSecond: limit === unlimited ? 0 : limit }
}

/** @param brokers that are there, when those are more than there shall be */
export function configMap (cluster: Cluster, brokers: number = cluster.spec.brokers): KubeObject {
  return owned(cluster, 'v1', 'ConfigMap', names.configMap(cluster.metadata.name), {
    data: { [configFile]: `${JSON.stringify(brokerFile(cluster, brokers), undefined, 2)}\n` }
  })
}

/**
 * Hash of the settings that need a restart; on the pod template, so that their change is a roll. The
 * number of brokers is not one of them: adding a broker must not restart the others.
 */
export function configHash (cluster: Cluster): string {
  const { brokers: _live, ...needRestart } = brokerFile(cluster, cluster.spec.brokers)
  return hash(needRestart)
}
