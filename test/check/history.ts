// What clients did and saw, in the order in which they began it. The simulator and the fault tests on
// real processes record the same shapes, so that one checker judges both.

/** A partition: 'orders-3'. */
export type Key = string
/**
 * ok: it happened, as stated. failed: it did not happen and never will. unknown: it may have happened, or
 * still may. An operation that never ended is unknown.
 */
export type Outcome = 'ok' | 'failed' | 'unknown'

interface OperationBase {
  /** One producer or consumer instance: 'p1', 'c2.3'. A restarted client is another process. */
  readonly process: string
  readonly startMs: number
  /** Infinity while it has not ended. */
  endMs: number
  outcome: Outcome
  /** Why it did not succeed, for people. */
  error?: string
}

/** One record. */
export interface SendOperation extends OperationBase {
  readonly kind: 'send'
  /** Known for certain when ok: a topic may have been deleted and made again while it was sent. */
  key: Key
  /** Unique in the whole history. */
  readonly value: string
  /** Records with one number were handed over together. */
  readonly batch?: number
  /** Where it landed; known when ok. */
  offset?: number
}

export interface PolledRecord {
  readonly key: Key
  readonly offset: number
  readonly value: string
}

/**
 * Records that one consumer got at once, in the order in which it got them. A member's ends when it has finished
 * them.
 */
export interface PollOperation extends OperationBase {
  readonly kind: 'poll'
  /** Of a member: its group. */
  readonly group?: string
  readonly records: PolledRecord[]
  /** Of the batch that they came in, where they came in one. */
  readonly leaderEpoch?: number
  /** High watermarks that came with them. */
  readonly ends?: readonly { readonly key: Key, readonly offset: number }[]
}

/** From here on the process reads these partitions from these offsets on; others as before. */
export interface AssignOperation extends OperationBase {
  readonly kind: 'assign'
  /** The group gave them to this member. */
  readonly group?: string
  /** Offset undefined: wherever the log begins, or where the process cannot say. */
  readonly positions: readonly { readonly key: Key, readonly offset: number | undefined }[]
}

/** A member gave partitions back, or has heard that they are another's. */
export interface RevokeOperation extends OperationBase {
  readonly kind: 'revoke'
  readonly group: string
  readonly keys: readonly Key[]
}

/** Stores the group's position: the next offset to read. */
export interface CommitOperation extends OperationBase {
  readonly kind: 'commit'
  /** By a member, for partitions that it was given; the offsets are what was committed at least. */
  readonly byMember?: true
  readonly group: string
  readonly offsets: readonly { readonly key: Key, readonly offset: number }[]
}

/** Asks for the group's position; undefined: the group never committed. */
export interface CommittedOperation extends OperationBase {
  readonly kind: 'committed'
  readonly group: string
  readonly offsets: { readonly key: Key, readonly offset: number | undefined }[]
}

/** Asks where partitions end. */
export interface EndsOperation extends OperationBase {
  readonly kind: 'ends'
  readonly offsets: { readonly key: Key, readonly offset: number }[]
}

/** What a worker asked for a record of a queue group; the first two finish it. */
export type Settlement = 'acknowledged' | 'rejected' | 'released'

/**
 * A record that a queue group gave to a worker; it ends when what the worker asked for it was answered. failed: it was
 * refused, since the record was another's.
 */
export interface DeliveryOperation extends OperationBase {
  readonly kind: 'delivery'
  readonly group: string
  readonly key: Key
  readonly offset: number
  readonly value: string
  /** Records of one are handled in order, where the group says so; empty: none. */
  readonly recordKey: string
  /** Which delivery of the record it is, as the worker was told: 1 is the first. */
  readonly deliveries: number
  /** Undefined: it has not asked for anything. */
  settlement?: Settlement
  /** When it asked. */
  settledAtMs?: number
}

/** A record that a reader found in the dead-letter topic of a queue group: where it came from. */
export interface DeadLetterOperation extends OperationBase {
  readonly kind: 'dead letter'
  readonly group: string
  readonly key: Key
  readonly offset: number
  readonly value: string
  readonly deliveries: number
  readonly cause: string
}

export type Operation = SendOperation | PollOperation | AssignOperation | RevokeOperation | CommitOperation |
  CommittedOperation | EndsOperation | DeliveryOperation | DeadLetterOperation

type Begun<O> = O extends Operation ? Omit<O, 'startMs' | 'endMs' | 'outcome'> : never

export class History {
  readonly operations: Operation[] = []
  readonly #nowMs: () => number

  constructor (nowMs: () => number) { this.#nowMs = nowMs }

  begin<O extends Operation> (operation: Begun<O>): O {
    const begun = { ...operation, startMs: this.#nowMs(), endMs: Infinity, outcome: 'unknown' } as unknown as O
    this.operations.push(begun)
    return begun
  }

  end (operation: Operation, outcome: Outcome, error?: string): void {
    operation.endMs = this.#nowMs()
    operation.outcome = outcome
    if (error !== undefined) operation.error = error
  }
}
