// What is known of one group.
import type { ErrorCode } from '../../wire/errors.ts'
import type { QueueWindow } from './queue-window.ts'
import type { GroupOffset, Member, PartitionName } from './records.ts'

export interface Group {
  readonly name: string
  /** Counts its changes. */
  epoch: number
  /** The offset of its last change, -1 for none. */
  changedAt: number
  /** In order of joining. */
  readonly members: Map<string, Member>
  /** Who holds what: never two. */
  readonly owners: Map<PartitionName, string>
  /** In order of first commit. */
  readonly offsets: Map<PartitionName, GroupOffset>
  /** Of a queue group: what is not finished behind the offset of the partition. */
  readonly windows: Map<PartitionName, QueueWindow>
  /** Of a queue group: how many records each member has. */
  readonly inFlight: Map<string, number>
  /** When the last member went, ms since 1970; 0: never had any, or has some. */
  emptyAt: number
}

/** One that nothing is known of. */
export function vacantGroup (name: string): Group {
  return {
    name, epoch: 0, changedAt: -1, members: new Map(), owners: new Map(), offsets: new Map(), windows: new Map(),
    inFlight: new Map(), emptyAt: 0
  }
}

/** 'ok', or why the record has no effect. */
export type Verdict = 'ok' | 'stale' | Extract<ErrorCode, 'FENCED_MEMBER' | 'GROUP_NOT_EMPTY' | 'LEASE_LOST'>
