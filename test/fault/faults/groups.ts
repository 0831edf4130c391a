// The groups of a workload, and how their members behave.
import type { Workload } from './options.ts'

export interface WorkGroup {
  readonly name: string
  /** The client library commits, or the application does. */
  readonly commits: 'by itself' | 'by hand'
}

export const workGroups: readonly WorkGroup[] = [
  { name: 'team-auto', commits: 'by itself' },
  { name: 'team-manual', commits: 'by hand' }
]
/** A queue group: its workers share records. */
export interface WorkQueue {
  readonly name: string
  readonly deadLetterTopic: string
  /** Records of a key one after the other. */
  readonly isOrdered: boolean
}

export const workQueues: readonly WorkQueue[] = [
  { name: 'jobs', deadLetterTopic: 'jobs-dead', isOrdered: false },
  { name: 'jobs-by-key', deadLetterTopic: 'jobs-by-key-dead', isOrdered: true }
]
export const deliveriesMax = 5

/** Names of the groups of a workload. */
export function groupsOf (workload: Workload): readonly string[] {
  const groups = { records: [], groups: workGroups, queues: workQueues }
  return groups[workload].map(({ name }) => name)
}

export const membersPerGroup = 3
/** Of both: what is repeated after a death is at most what was finished since the last commit. */
export const commitIntervalMs = 500
/** Shorter than the pauses of some members, which lose their partitions then. */
export const sessionTimeoutMs = 6_000
