// The closed table of errors: the wire carries the code, the client's classes and docs/errors.md come
// from here. Codes never change their meaning and are never reused.
import type { ErrorDetail, Sent } from './messages.ts'

interface ErrorEntry {
  /** The gRPC status that carries the error where an RPC fails as a whole (grpc.io status codes). */
  readonly grpc: number
  /** May the same request succeed later without anybody changing it? */
  readonly retriable: boolean
  /** What happened, in one line. */
  readonly message: string
  /** What a person can do. */
  readonly help: string
}

const INVALID_ARGUMENT = 3
const DEADLINE_EXCEEDED = 4
const NOT_FOUND = 5
const ALREADY_EXISTS = 6
const RESOURCE_EXHAUSTED = 8
const FAILED_PRECONDITION = 9
const ABORTED = 10
const OUT_OF_RANGE = 11
const UNIMPLEMENTED = 12
const INTERNAL = 13
const UNAVAILABLE = 14
const DATA_LOSS = 15

function entry (grpc: number, retriable: boolean, message: string, help: string): ErrorEntry {
  return { grpc, retriable, message, help }
}

const wait = 'It passes by itself; clients retry until their delivery timeout.'

export const errorTable = {
  // Finding a partition
  UNKNOWN_TOPIC: entry(NOT_FOUND, true, 'no such topic', 'Create it: millrace topic create NAME.'),
  UNKNOWN_TOPIC_ID: entry(NOT_FOUND, true, 'the topic was deleted and made again',
    'Ask for metadata again and decide whether the new topic is the one that is meant.'),
  UNKNOWN_PARTITION: entry(OUT_OF_RANGE, true, 'the topic has no such partition',
    'millrace topic describe NAME shows the partitions.'),
  NOT_LEADER: entry(FAILED_PRECONDITION, true, 'this broker does not lead the partition',
    'Send to the leader that the error names, or ask for metadata.'),
  LEADER_NOT_AVAILABLE: entry(UNAVAILABLE, true, 'the partition has no leader now', wait),
  // Producing
  NOT_ENOUGH_REPLICAS: entry(UNAVAILABLE, true, 'fewer than minInSync replicas live; nothing was written',
    'It passes when a broker of the in-sync set returns; see millrace cluster describe.'),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: entry(UNAVAILABLE, true,
    'the in-sync replicas fell below minInSync before the batch was committed; it may commit later',
    'Retry: the retry gets the same offset if the batch committed.'),
  OUT_OF_ORDER_SEQUENCE: entry(FAILED_PRECONDITION, false, 'a batch of this producer is missing before this one',
    'A bug or two processes with one producer id; close the producer and begin a new one.'),
  INVALID_PRODUCER_EPOCH: entry(FAILED_PRECONDITION, false, 'a newer instance of this producer took over',
    'Only one process may use a producer id; this one must stop.'),
  RECORD_TOO_LARGE: entry(INVALID_ARGUMENT, false, 'the record or batch is larger than the limit',
    'Send smaller records; docs/limits.md has the limits.'),
  CORRUPT_BATCH: entry(INVALID_ARGUMENT, false, 'the record batch is broken (length, CRC or counts)',
    'The bytes were damaged on their way or the client is faulty; nothing was written.'),
  UNSUPPORTED_BATCH: entry(INVALID_ARGUMENT, false, 'the record batch has a magic, codec or flag that is not accepted',
    'Use record batch v2 without control batches.'),
  UNSUPPORTED_COMPRESSION: entry(FAILED_PRECONDITION, false, 'what the compression needs is not installed',
    'Install the package that the error names, or give the client a codec of your own.'),
  SERIALIZATION_FAILED: entry(INVALID_ARGUMENT, false, 'the key or value could not be made bytes; nothing was written',
    'The serializer of the producer threw: its error is the cause.'),
  INVALID_TIMESTAMP: entry(INVALID_ARGUMENT, false, 'the timestamp of a record is out of bounds',
    'Timestamps are milliseconds since 1970, not more than a day ahead of the broker.'),
  DISK_FULL: entry(RESOURCE_EXHAUSTED, true, 'the broker has no disk space left for appends',
    'Enlarge the volume or shorten retention; reading goes on.'),
  BROKER_BUSY: entry(RESOURCE_EXHAUSTED, true, 'a queue of the broker is full', wait),
  BUFFER_FULL: entry(RESOURCE_EXHAUSTED, true, 'too many records wait to be sent',
    'Await the promises of send, or raise maxBufferedBytes.'),
  // Reading
  OFFSET_OUT_OF_RANGE: entry(OUT_OF_RANGE, false, 'the offset is not, or no longer, in the partition',
    'Read from the log start that the error names, or from the end.'),
  DESERIALIZATION_FAILED: entry(DATA_LOSS, false, 'the key or value of a record is not what the consumer expects',
    'Seek past the offset that the error names, or give the consumer onUndecodable.'),
  OFFSET_NOT_AVAILABLE: entry(UNAVAILABLE, true, 'a new leader does not know its end yet', wait),
  // Groups
  NOT_COORDINATOR: entry(FAILED_PRECONDITION, true, 'this broker does not coordinate the group',
    'Ask the leader of the group partition of __groups.'),
  COORDINATOR_LOADING: entry(UNAVAILABLE, true, 'the coordinator is still loading the group', wait),
  FENCED_MEMBER: entry(ABORTED, false, 'the member does not hold the partition, or is not a member any more',
    'Another member goes on from the last commit; commit only what the consumer holds.'),
  FENCED_INSTANCE: entry(ALREADY_EXISTS, false, 'another process has joined with this instanceId',
    'Give each process an instanceId of its own, or none.'),
  INCONSISTENT_GROUP: entry(FAILED_PRECONDITION, false,
    'the members of the group share partitions and not records, or the other way, or another order',
    'Members of one group have one mode and one order; use another group, or stop its members first.'),
  LEASE_LOST: entry(ABORTED, false, 'the record is not, or no longer, with this member of the queue group',
    'It may be delivered again: finish sooner, renew its lease, or raise processingTimeoutMs.'),
  GROUP_NOT_EMPTY: entry(FAILED_PRECONDITION, false, 'the group has members',
    'Stop its consumers first, or use another group.'),
  GROUP_TOO_LARGE: entry(RESOURCE_EXHAUSTED, false, 'the group has as many members or partitions as it may have',
    'docs/limits.md has the limits; use several groups.'),
  MAX_POLL_EXCEEDED: entry(FAILED_PRECONDITION, false, 'no record was asked for within maxPollIntervalMs',
    'Do less between two records, or raise maxPollIntervalMs; the consumer joins again when it is asked next.'),
  NO_COMMITTED_OFFSET: entry(NOT_FOUND, false, 'the group has committed nothing for the partition',
    "Commit an offset (millrace group reset), or use reset: 'earliest' or 'latest'."),
  UNKNOWN_GROUP: entry(NOT_FOUND, false, 'no such group', 'millrace group list shows the groups.'),
  // Between brokers, and with the controller
  FENCED_EPOCH: entry(FAILED_PRECONDITION, true, 'the leader epoch is older than the current one',
    'The newer row comes with the error.'),
  UNKNOWN_EPOCH: entry(FAILED_PRECONDITION, true, 'the leader epoch is newer than this broker knows', wait),
  STALE_ROW: entry(ABORTED, true, 'the change was asked for from an older row', 'The newer row comes with the error.'),
  INELIGIBLE_REPLICA: entry(FAILED_PRECONDITION, true, 'a replica to add is fenced, stopping or not caught up', wait),
  BELOW_FLOOR: entry(FAILED_PRECONDITION, true, 'the in-sync set may not shrink below minInSync', wait),
  NOT_CONTROLLER: entry(FAILED_PRECONDITION, true, 'this broker is not the controller',
    'Ask the controller that the error names.'),
  CONTROLLER_UNAVAILABLE: entry(UNAVAILABLE, true, 'the cluster has no controller now', wait),
  DUPLICATE_BROKER: entry(ALREADY_EXISTS, true, 'another process has a session with this broker id',
    'Two pods use one broker id; stop one of them.'),
  WRONG_CLUSTER: entry(FAILED_PRECONDITION, false, 'the volume or the peer belongs to another cluster',
    'The data folder was used by another cluster; give this broker its own volume.'),
  WRONG_BROKER: entry(FAILED_PRECONDITION, true, 'another cluster\'s broker has the address now',
    'Pods come and go, and their addresses with them; the newest ones are asked for again.'),
  RECOVERY_REFUSED: entry(FAILED_PRECONDITION, false, 'the partition is not recovered outside the rules',
    'The message says what is missing; while a member of the in-sync set lives, wait for the others instead.'),
  // Topics
  INVALID_TOPIC: entry(INVALID_ARGUMENT, false, 'the topic name or one of its settings is not allowed',
    'Names are [a-zA-Z0-9._-]{1,249} and do not begin with __.'),
  TOPIC_CONFLICT: entry(ALREADY_EXISTS, false, 'another Topic object owns this topic name', 'Delete one of the two.'),
  NOT_ENOUGH_BROKERS: entry(FAILED_PRECONDITION, true, 'the topic wants more replicas than there are brokers',
    'Add brokers or lower spec.replicas.'),
  PARTITIONS_SHRINK: entry(INVALID_ARGUMENT, false, 'the number of partitions can only grow', 'Create another topic.'),
  // Moving partitions
  INVALID_ASSIGNMENT: entry(INVALID_ARGUMENT, false, 'the partition cannot have these replicas',
    'Name as many brokers as the topic has replicas, each once; how many there are is set in the Topic.'),
  INELIGIBLE_BROKER: entry(FAILED_PRECONDITION, true, 'a broker that is to get a replica is away or is being drained',
    'Name brokers that live and stay; see millrace cluster describe.'),
  INELIGIBLE_LEADER: entry(FAILED_PRECONDITION, true, 'the broker cannot lead the partition now',
    'Only a live member of the in-sync set can lead; see millrace topic describe NAME.'),
  UNKNOWN_BROKER: entry(NOT_FOUND, false, 'the cluster has no broker of that id', 'See millrace cluster describe.'),
  TABLE_FULL: entry(RESOURCE_EXHAUSTED, true, 'the table that the partitions are in has no room for that',
    'It passes when moves under way are completed; change fewer partitions at once.'),
  BROKER_IN_USE: entry(FAILED_PRECONDITION, true, 'the broker runs, or partitions still name it',
    'Drain it, stop it, then remove it.'),
  // Volumes
  VOLUME_IN_USE: entry(FAILED_PRECONDITION, false, 'another process uses the data folder',
    'Stop the other process or use another folder.'),
  VOLUME_FAILED: entry(DATA_LOSS, false, 'a write or fsync of the volume failed; the broker stopped serving it',
    'Replace the volume; the other replicas carry on.'),
  VOLUME_VERSION: entry(FAILED_PRECONDITION, false, 'the data folder has a format that this version does not read',
    'Use the millrace version that wrote it.'),
  VOLUME_ROLLED_BACK: entry(FAILED_PRECONDITION, false, 'the volume is an older copy of one that has registered since',
    'The broker takes another identity by itself, starts again and catches up from its peers.'),
  // Everything
  INVALID_REQUEST: entry(INVALID_ARGUMENT, false, 'the request is malformed', 'A faulty or newer client.'),
  UNIMPLEMENTED: entry(UNIMPLEMENTED, false, 'the broker does not know this call',
    'Client and broker versions differ.'),
  INTERNAL: entry(INTERNAL, false, 'the broker failed on this request', 'A bug: please report it with the log.'),
  TIMED_OUT: entry(DEADLINE_EXCEEDED, true, 'no answer in time', wait),
  CONNECTION_REFUSED: entry(UNAVAILABLE, true, 'nobody listens at the address',
    'Check the address (--bootstrap) and that the cluster runs.'),
  UNAVAILABLE: entry(UNAVAILABLE, true, 'the connection broke', wait),
  ADDRESS_IN_USE: entry(FAILED_PRECONDITION, false, 'another process listens at the address', 'Choose another port.'),
  CANCELLED: entry(1, false, 'the caller gave up', ''),
  CLOSED: entry(FAILED_PRECONDITION, false, 'the client, producer or consumer is closed', 'Use a new one.')
} as const satisfies Record<string, ErrorEntry>

/** What an error says: docs/errors.md has each with what to do. */
export type ErrorCode = keyof typeof errorTable

export function isErrorCode (code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code)
}

/** An operating error with a code of the table. `detail` is what goes over the wire with it. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly code: ErrorCode
  readonly detail: Sent<ErrorDetail>

  /** @param message more precise than the table's line, which stands in when it is left out. */
  constructor (code: ErrorCode, message?: string, detail: Sent<ErrorDetail> = {}, options?: ErrorOptions) {
    super(message ?? errorTable[code].message, options)
    this.code = code
    this.detail = detail
  }

  get retriable (): boolean { return errorTable[this.code].retriable }
  get help (): string { return errorTable[this.code].help }

  toDetail (): Sent<ErrorDetail> {
    return { leader: -1, leaderEpoch: -1, ...this.detail, code: this.code, message: this.message }
  }

  /** A code that this version does not know becomes INTERNAL with the code in its message. */
  static fromDetail (detail: Sent<ErrorDetail>): WireError {
    const code = detail.code ?? ''
    if (isErrorCode(code)) return new WireError(code, detail.message, detail)
    return new WireError('INTERNAL', `${code}: ${detail.message ?? ''}`, detail)
  }
}
