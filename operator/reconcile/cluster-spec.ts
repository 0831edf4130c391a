// What the API server's rules cannot say of a Cluster: the operator refuses it, and a plan does. Pure.
import { bytesPerSecondOf, groupExpiryMsOf } from '../objects/config-map.ts'
import { parseBytes, parseDuration } from '../schema/quantities.ts'
import type { Cluster } from '../schema/resources.ts'

/** @throws InvalidValueError */
export function checkClusterSpec ({ spec }: Cluster): void {
  const { storage, rebalance, groupExpiry, topicDefaults: { retention, segmentBytes } } = spec
  parseBytes(storage.size, 'spec.storage.size')
  if (rebalance?.bytesPerSecond !== undefined) bytesPerSecondOf(rebalance.bytesPerSecond)
  if (groupExpiry !== undefined) groupExpiryMsOf(groupExpiry)
  if (retention?.age !== undefined) parseDuration(retention.age, 'spec.topicDefaults.retention.age')
  if (retention?.bytes !== undefined) parseBytes(retention.bytes, 'spec.topicDefaults.retention.bytes')
  if (segmentBytes !== undefined) parseBytes(segmentBytes, 'spec.topicDefaults.segmentBytes')
}
