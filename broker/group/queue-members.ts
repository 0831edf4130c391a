// Members of a queue group that are connected here: their room, and what is sent to them.
import type { QueueResponse, QueueSettings, Sent } from '../../wire/messages.ts'
import type { Group } from './group.ts'
import type { QueueLane } from './queue-lane.ts'
import type { QueueWindow } from './queue-window.ts'
import { toRanges } from '../../wire/ranges.ts'
import type { Member } from './records.ts'

/** A member's stream, from rpc/group-session.ts: it takes what it is told, in order. */
export interface QueueStream {
  queue (message: Sent<QueueResponse>): void
}

export class MemberOfQueue {
  readonly id: string
  readonly stream: QueueStream
  readonly topics: ReadonlySet<string>
  /** Records more that it takes. */
  credit = 0
  /** Of them: about to be given. */
  reserved = 0
  /** Partitions that it is looking at. */
  scans = 0
  /** Its last scan; they are counted. */
  scannedAt = 0

  constructor ({ id, topics }: Member, stream: QueueStream) {
    this.id = id
    this.topics = new Set(topics)
    this.stream = stream
  }

  get room (): number { return Math.max(0, this.credit - this.reserved) }
}

export class MembersOfQueue {
  readonly #topicName: (topicId: string) => string
  readonly #members = new Map<string, MemberOfQueue>()

  constructor (topicName: (topicId: string) => string) {
    this.#topicName = topicName
  }

  get (id: string): MemberOfQueue | undefined { return this.#members.get(id) }
  has (id: string): boolean { return this.#members.has(id) }

  /** Undefined when the stream is new. */
  of (id: string, stream: QueueStream): MemberOfQueue | undefined {
    const member = this.#members.get(id)
    return member?.stream === stream ? member : undefined
  }

  welcome (wish: Member, stream: QueueStream): MemberOfQueue {
    const member = new MemberOfQueue(wish, stream)
    this.#members.set(wish.id, member)
    return member
  }

  remove (member: MemberOfQueue): void {
    if (this.#members.get(member.id) === member) this.#members.delete(member.id)
  }

  keep (isMember: (id: string) => boolean): void {
    for (const id of this.#members.keys()) if (!isMember(id)) this.#members.delete(id)
  }

  /** Those that read the partition's topic, whoever has least first. */
  readersOf ({ topicId }: QueueLane, group: Group | undefined): MemberOfQueue[] {
    const topic = this.#topicName(topicId)
    const held = (id: string): number => group?.inFlight.get(id) ?? 0
    return [...this.#members.values()].filter(({ topics }) => topics.has(topic))
      .sort((a, b) => held(a.id) - held(b.id))
  }

  send (member: MemberOfQueue, message: Sent<QueueResponse>): void {
    if (this.#members.get(member.id) === member) member.stream.queue(message)
  }

  grant (member: MemberOfQueue, lane: QueueLane, window: QueueWindow, lease: number, records: readonly number[],
    settings: QueueSettings | undefined): void {
    const { topicId, partition } = lane
    const entries = records.map(offset => window.entries.get(offset)!)
    const isBurial = entries[0]?.isBurial === true
    this.send(member, {
      grant: {
        lease,
        topic: this.#topicName(topicId),
        topicId,
        partition,
        records: toRanges(records),
        deliveries: entries.map(({ deliveries }) => deliveries),
        deadLetterTopic: isBurial ? settings?.deadLetterTopic ?? '' : '',
        reasons: isBurial ? entries.map(({ reason }) => reason) : [],
        causes: isBurial ? entries.map(({ doomed }) => doomed ? 'rejected' : 'deliveries') : []
      }
    })
  }
}
