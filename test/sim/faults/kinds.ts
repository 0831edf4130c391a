// The faults that a seed may draw. Each has its code in one of this folder's files.

export const processFaults = ['kill', 'power', 'kill all', 'stop', 'pause', 'busy'] as const
export const networkFaults = ['isolate', 'one way', 'halves', 'ring', 'client cut', 'slow link', 'break'] as const
export const diskFaults = ['slow disk', 'full disk', 'disk error', 'read error', 'bit flip', 'lost volume',
  'rolled-back volume', 'swapped volumes'] as const
export const kubeFaultKinds = ['kube cut', 'kube down', 'kube silent', 'kube conflicts', 'lost lease', 'lost table',
  'restored tables'] as const
export const topicFaults = ['more partitions', 'other settings', 'orphaned topic', 'remade topic'] as const
export const clusterFaults = ['added broker', 'drained broker', 'moved partitions', 'given-up move', 'elected leader',
  'other replication', 'rolling restart'] as const
/** Of the whole in-sync set of an expendable topic's partition, which a person then recovers. */
export const lossFaults = ['lost set'] as const
export const otherFaults = ['clock jump', 'client kill'] as const

export type FaultKind = typeof processFaults[number] | typeof networkFaults[number] | typeof diskFaults[number] |
  typeof clusterFaults[number] | typeof kubeFaultKinds[number] | typeof topicFaults[number] |
  typeof lossFaults[number] | typeof otherFaults[number]

export const faultKinds: readonly FaultKind[] = [
  ...processFaults, ...networkFaults, ...diskFaults, ...kubeFaultKinds, ...topicFaults,
  ...clusterFaults, ...lossFaults, ...otherFaults]

/**
 * After these a broker's disk holds less than it acknowledged. What a set of one member had is gone then, and
 * nobody promises otherwise.
 */
export const destructiveFaults: ReadonlySet<FaultKind> = new Set<FaultKind>(
  ['disk error', 'read error', 'bit flip', 'lost volume', 'rolled-back volume', 'lost set'])
