import type { KubeObject } from '../kube/types.ts'
import { InvalidValueError, parseBytes, parseDuration, unlimited } from '../schema/quantities.ts'
import type { Cluster } from '../schema/resources.ts'
import { hash } from './hash.ts'
import type { ListenerAddresses } from './listeners.ts'
import { configFile, names, owned } from './names.ts'
import type { Racks } from './racks.ts'

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
  /** How long groups that nobody uses are remembered; 0: for ever; left out: its default. */
  readonly groupExpiryMs?: number
  readonly listeners?: readonly ListenerAddresses[]
  readonly racks?: Racks
}

/** As broker/limits.ts: shorter ones would forget groups that are being restarted. */
const groupExpiryMsMin = 60_000

function brokerFile (cluster: Cluster, brokers: number, listeners: readonly ListenerAddresses[],
  racks: Racks): BrokerFile {
  const { logLevel, rebalance, groupExpiry } = cluster.spec
  const bytesPerSecond = rebalance?.bytesPerSecond
  return {
    brokers,
    logLevel,
    ...bytesPerSecond !== undefined && { learnerBytesPerSecond: zeroForNone(bytesPerSecondOf(bytesPerSecond)) },
    ...groupExpiry !== undefined && { groupExpiryMs: zeroForNone(groupExpiryMsOf(groupExpiry)) },
    ...listeners.length > 0 && { listeners },
    ...Object.keys(racks).length > 0 && { racks }
  }
}

function zeroForNone (limit: number): number {
  return limit === unlimited ? 0 : limit
}

/** @throws InvalidValueError */
export function bytesPerSecondOf (text: string): number {
  return parseBytes(text, 'spec.rebalance.bytesPerSecond')
}

/** @throws InvalidValueError */
export function groupExpiryMsOf (text: string): number {
  const ms = parseDuration(text, 'spec.groupExpiry')
  if (ms === unlimited || ms >= groupExpiryMsMin) return ms
  throw new InvalidValueError('spec.groupExpiry', text, 'a duration of at least 60s, or unlimited')
}

/** @param brokers that are there, when those are more than there shall be */
export function configMap (cluster: Cluster, brokers: number = cluster.spec.brokers,
  listeners: readonly ListenerAddresses[] = [], racks: Racks = {}): KubeObject {
  return owned(cluster, 'v1', 'ConfigMap', names.configMap(cluster.metadata.name), {
    data: { [configFile]: `${JSON.stringify(brokerFile(cluster, brokers, listeners, racks), undefined, 2)}\n` }
  })
}

/**
 * Hash of the settings that need a restart; on the pod template, so that their change is a roll. These are the ports
 * that are listened at: all else in the file is taken over by running brokers.
 */
export function configHash (cluster: Cluster): string {
  return hash((cluster.spec.listeners ?? []).map(({ name, port }) => ({ name, port })))
}
