// GroupSession: one member's stream. The first message is a join; what follows goes to the desk of its group.
import * as limits from '../limits.ts'
import { WireError } from '../../wire/errors.ts'
import type {
  GroupSessionRequest, GroupSessionRequest_Join, GroupSessionResponse, GroupSessionResponse_Assignment, HeldPartitions,
  QueueRequest, QueueResponse, QueueSettings, Sent
} from '../../wire/messages.ts'
import type { Stream, StreamHandlers } from '../../wire/ports.ts'
import type { GroupCoordinator } from '../group/coordinator.ts'
import type { GroupDesk } from '../group/desk.ts'
import type { GroupPartition } from '../group/group-partition.ts'
import type { MemberStream } from '../group/presence.ts'
import type { QueueStream } from '../group/queue-members.ts'
import type { MemberWish, PartitionName } from '../group/records.ts'
import { nameOf } from '../group/records.ts'

const memberIdForm = /^[0-9a-f]{16}$/

export class GroupSession implements StreamHandlers<GroupSessionRequest>, MemberStream, QueueStream {
  readonly #coordinator: GroupCoordinator
  readonly #stream: Stream<GroupSessionResponse>
  readonly #peer: string
  attempt = 0
  returns = false
  askingMs = 0
  #memberId = ''
  #group = ''
  #partition: GroupPartition | undefined
  #desk: GroupDesk | undefined
  #blocked = false
  #closed = false

  constructor (coordinator: GroupCoordinator, stream: Stream<GroupSessionResponse>, peer: string) {
    this.#coordinator = coordinator
    this.#stream = stream
    this.#peer = peer
  }

  message (request: GroupSessionRequest): void {
    if (this.#closed) return
    try {
      this.#handle(request)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.fail(error)
    }
  }

  #handle ({ join, heartbeat, release, leave, queue }: GroupSessionRequest): void {
    if (join !== undefined) {
      if (this.#desk !== undefined) throw new WireError('INVALID_REQUEST', 'a stream is of one member')
      const { group, memberId, attempt, memberEpoch } = join
      const partition = this.#coordinator.partitionOf(group)
      const wish = wishOf(join, this.#peer)
      this.attempt = attempt
      this.returns = memberEpoch > 0
      check(join.askingMs >= 0, 'askingMs is 0 or more')
      this.askingMs = join.askingMs
      this.#memberId = memberId
      this.#group = group
      this.#partition = partition
      this.#desk = partition.join(group, this, wish, heldOf(join.held))
      return
    }
    if (this.#desk === undefined) throw new WireError('INVALID_REQUEST', 'the first message of a member is a join')
    if (heartbeat !== undefined) {
      this.#desk.heard(this.#memberId, this)
      this.#send({ alive: {} })
    } else if (release !== undefined) this.#desk.released(this.#memberId, this, heldOf(release.partitions))
    else if (leave !== undefined) this.#desk.leave(this.#memberId, this, leave.final)
    else if (queue !== undefined) this.#queue(queue)
    else throw new WireError('INVALID_REQUEST', 'a request of an unknown kind')
  }

  #queue (request: QueueRequest): void {
    // An older stream of the member, or one that is taken for gone, has nothing to say any more.
    if (this.#desk?.isMember(this.#memberId, this) !== true) return
    this.#partition?.queue(this.#group)?.request(this.#memberId, this, request)
  }

  /** Answers what was asked for: a member that does not take them is not asked for more. */
  queue (message: Sent<QueueResponse>): void {
    this.#send({ queue: message })
    if (this.#blocked) this.#stream.pause()
  }

  drain (): void {
    this.#blocked = false
    this.#stream.resume()
    this.#desk?.drained()
  }

  close (): void {
    if (this.#closed) return
    this.#closed = true
    this.#partition?.queue(this.#group)?.lost(this.#memberId, this)
    this.#desk?.lost(this.#memberId, this)
    this.#stream.end()
  }

  assign (assignment: GroupSessionResponse_Assignment): boolean {
    if (this.#blocked) return false
    this.#send({ assignment })
    return true
  }

  left (): void {
    this.#send({ left: {} })
  }

  fail (error: WireError): void {
    if (this.#closed) return
    this.#closed = true
    this.#partition?.queue(this.#group)?.lost(this.#memberId, this)
    this.#stream.send({ error: error.toDetail() })
    this.#stream.end()
  }

  #send (message: Parameters<Stream<GroupSessionResponse>['send']>[0]): void {
    if (!this.#closed && !this.#stream.send(message)) this.#blocked = true
  }
}

function check (condition: boolean, message: string): void {
  if (!condition) throw new WireError('INVALID_REQUEST', message)
}

function within (value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most
}

function wishOf (join: GroupSessionRequest_Join, peer: string): MemberWish {
  const { memberId: id, instanceId, rack, client, assignor, sessionTimeoutMs, instanceGraceMs, releaseTimeoutMs } = join
  const topics = [...new Set(join.topics)].sort()
  check(memberIdForm.test(id), 'a member id is 16 hex characters')
  check([instanceId, rack, client].every(({ length }) => length <= limits.groupIdLengthMax),
    `names of a member have at most ${limits.groupIdLengthMax} characters`)
  check(within(topics.length, 1, limits.topicsPerMemberMax), `a member reads 1 to ${limits.topicsPerMemberMax} topics`)
  check(topics.every(({ length }) => within(length, 1, limits.topicNameLengthMax)), 'a topic that cannot be one')
  check(within(sessionTimeoutMs, limits.memberSessionTimeoutMsMin, limits.memberSessionTimeoutMsMax),
    `sessionTimeoutMs is ${limits.memberSessionTimeoutMsMin} to ${limits.memberSessionTimeoutMsMax}`)
  check(within(instanceGraceMs, 0, limits.instanceGraceMsMax),
    `instanceGraceMs is at most ${limits.instanceGraceMsMax}`)
  check(within(releaseTimeoutMs, 1, limits.instanceGraceMsMax), 'releaseTimeoutMs is above 0 and at most a day')
  const host = peer.replace(/:\d+$/, '')
  const described = client === '' ? host : `${client} (${host})`
  return {
    id, instanceId, rack, client: described, topics, assignor, sessionTimeoutMs, instanceGraceMs, releaseTimeoutMs,
    queue: join.queue === undefined ? undefined : settingsOf(join.queue, topics)
  }
}

function settingsOf ({ order, maxDeliveries, deadLetterTopic, leaseMs, start }: QueueSettings,
  topics: readonly string[]): QueueSettings {
  check(within(maxDeliveries, 0, limits.queueDeliveriesMax), `maxDeliveries is at most ${limits.queueDeliveriesMax}`)
  check(deadLetterTopic.length <= limits.topicNameLengthMax, 'a dead-letter topic that cannot be one')
  check(!topics.includes(deadLetterTopic), 'the dead-letter topic is another one than those that are read')
  check(within(leaseMs, limits.queueLeaseMsMin, limits.queueLeaseMsMax),
    `leaseMs is ${limits.queueLeaseMsMin} to ${limits.queueLeaseMsMax}`)
  return { order, maxDeliveries, deadLetterTopic, leaseMs, start }
}

function heldOf (lists: readonly HeldPartitions[]): Map<PartitionName, number> {
  const held = new Map<PartitionName, number>()
  for (const { topicId, partitions, epochs } of lists) {
    check(partitions.length === epochs.length, 'an epoch for each partition')
    for (const [index, partition] of partitions.entries()) held.set(nameOf(topicId, partition), epochs[index]!)
    check(held.size <= limits.partitionsPerGroupMax, `at most ${limits.partitionsPerGroupMax} partitions`)
  }
  return held
}
