// The groups of the workload, and how their members behave.

export interface WorkGroup {
  readonly name: string
  /** The client library commits, or the application does. */
  readonly commits: 'by itself' | 'by hand'
}

export const workGroups: readonly WorkGroup[] = [
  { name: 'team-auto', commits: 'by itself' },
  { name: 'team-manual', commits: 'by hand' }
]
export const membersPerGroup = 3
/** Of both: what is repeated after a death is at most what was finished since the last commit. */
export const commitIntervalMs = 500
/** Shorter than the pauses of some members, which lose their partitions then. */
export const sessionTimeoutMs = 6_000
