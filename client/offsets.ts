// Offsets of partitions (asked of their leaders) and of groups (asked of their coordinators).
import { utf8 } from '../wire/bytes.ts'
import { WireError } from '../wire/errors.ts'
import type { CommittedOffset, ListOffsetsRequest_Query, OffsetTarget, Sent } from '../wire/messages.ts'
import { partitionOfKey } from '../wire/murmur2.ts'
import { errorOf, toMillraceError } from './errors.ts'
import { callTimeoutMs, offsetsPerRequestMax } from './limits.ts'
import type { ClientPorts, Leader, Metadata } from './metadata.ts'
import { unknownTopic } from './metadata.ts'
import { retry, throwIfError } from './waiting.ts'

export const GROUPS_TOPIC = '__groups'

/** Which place of which partition. */
export interface OffsetQuery {
  readonly topic: string
  readonly partition: number
  /** 'end': the high watermark. A time: the first record at or after it, or the end when there is none. */
  readonly at: 'start' | 'end' | { readonly timestamp: number }
}

/** What its reader knows of the partition already. */
export interface KnownQuery extends OffsetQuery {
  /** A leader of an older epoch has not heard that it leads no more, and cannot say where the partition ends. */
  readonly leaderEpoch?: number | undefined
}

/** Where a place of a partition is. */
export interface ListedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Of the record, when asked by time and found; otherwise -1. */
  readonly timestamp: number
}

/** The next offset to read of a partition of a certain topic. */
export interface PartitionOffset {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch?: number | undefined
  readonly metadata?: string | undefined
}

/** In whose name a commit is made, or an offset asked for: a member of the group, in an epoch of its. */
export interface Committer {
  readonly memberId: string
  readonly memberEpoch: number
}

export interface Patience {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

type Answer = ListedOffset | WireError

function targetOf (at: OffsetQuery['at']): OffsetTarget {
  if (at === 'start') return 'OFFSET_TARGET_EARLIEST'
  return at === 'end' ? 'OFFSET_TARGET_LATEST' : 'OFFSET_TARGET_TIMESTAMP'
}

export class Offsets {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata

  /** Topics that are asked about, and GROUPS_TOPIC for groups, are tracked by the caller. */
  constructor (ports: ClientPorts, metadata: Metadata) {
    this.#ports = ports
    this.#metadata = metadata
  }

  /** One attempt at each query; answers in their order, errors in place of those that failed. */
  async listOnce (queries: readonly KnownQuery[]): Promise<Answer[]> {
    const answers: Answer[] = queries.map(() => new WireError('LEADER_NOT_AVAILABLE'))
    const byLeader = new Map<string, number[]>()
    for (const [index, { topic, partition }] of queries.entries()) {
      const leader = this.#metadata.leader(topic, partition)
      if (leader === undefined) answers[index] = this.#whyNoLeader(topic, partition)
      else byLeader.set(leader.address, [...byLeader.get(leader.address) ?? [], index])
    }
    await Promise.all([...byLeader].map(async ([address, indexes]) => {
      for (let start = 0; start < indexes.length; start += offsetsPerRequestMax) {
        const slice = indexes.slice(start, start + offsetsPerRequestMax)
        const results = await this.#ask(address, slice.map(index => queries[index]!))
        for (const [at, index] of slice.entries()) answers[index] = results[at]!
      }
    }))
    for (const [index, answer] of answers.entries()) {
      if (!(answer instanceof WireError)) continue
      const { topic, partition } = queries[index]!
      if (!this.#metadata.hint(topic, partition, answer.detail)) this.#metadata.requestRefresh()
    }
    return answers
  }

  #whyNoLeader (topic: string, partition: number): WireError {
    const view = this.#metadata.topic(topic)
    if (view !== undefined && partition >= view.partitions.length) {
      return new WireError('UNKNOWN_PARTITION',
        `topic ${topic} has partitions 0 to ${view.partitions.length - 1}, not ${partition}`)
    }
    if (this.#metadata.isGone(topic)) return new WireError('UNKNOWN_TOPIC', unknownTopic(topic).message)
    return new WireError('LEADER_NOT_AVAILABLE', `${topic}/${partition} has no leader now`)
  }

  async #ask (address: string, queries: readonly KnownQuery[]): Promise<Answer[]> {
    const request = {
      queries: queries.map(({ topic, partition, at }): Sent<ListOffsetsRequest_Query> => ({
        topic, partition, target: targetOf(at), timestamp: typeof at === 'object' ? at.timestamp : 0
      }))
    }
    try {
      const { results } = await this.#ports.net.call(address, 'ListOffsets', request, callTimeoutMs)
      return queries.map(({ topic, partition, leaderEpoch = -1 }, index): Answer => {
        const result = results[index]
        if (result === undefined) return new WireError('INTERNAL', `broker ${address} left out ${topic}/${partition}`)
        if (result.error !== undefined) return this.#inDoubt(topic, partition, WireError.fromDetail(result.error))
        if (result.leaderEpoch < leaderEpoch) {
          return new WireError('LEADER_NOT_AVAILABLE', `${address} does not lead ${topic}/${partition} any more`)
        }
        return { topic, partition, offset: result.offset, timestamp: result.timestamp }
      })
    } catch (error) {
      const cause = error instanceof WireError ? error : new WireError('INTERNAL', String(error))
      return queries.map(() => cause)
    }
  }

  /** What is there by the metadata is there: a broker that says otherwise has not heard of it yet. */
  #inDoubt (topic: string, partition: number, error: WireError): WireError {
    const isUnknown = error.code === 'UNKNOWN_PARTITION' || error.code === 'UNKNOWN_TOPIC'
    if (!isUnknown || this.#metadata.topic(topic)?.partitions[partition] === undefined) return error
    return new WireError('LEADER_NOT_AVAILABLE', error.message)
  }

  /** Every query answered. A partition without a leader is waited for. */
  async list (queries: readonly KnownQuery[], patience: Patience): Promise<ListedOffset[]> {
    const done = new Map<number, ListedOffset>()
    await retry({ ...this.#ports, ...patience, what: 'offsets' }, async () => {
      const open = queries.map((_, index) => index).filter(index => !done.has(index))
      const answers = await this.listOnce(open.map(index => queries[index]!))
      let failure: { error: WireError, query: OffsetQuery } | undefined
      for (const [at, index] of open.entries()) {
        const answer = answers[at]!
        if (!(answer instanceof WireError)) done.set(index, answer)
        else failure ??= { error: answer, query: queries[index]! }
      }
      if (failure === undefined) return
      const { error, query } = failure
      this.#ports.onWaiting(`offsets of ${query.topic}/${query.partition} (${error.message})`)
      throw toMillraceError(error, { topic: query.topic, partition: query.partition })
    }, error => error.code === 'UNKNOWN_PARTITION' || (error.topic !== undefined && this.#metadata.isGone(error.topic)))
    return queries.map((_, index) => done.get(index)!)
  }

  /** The partition of GROUPS_TOPIC that keeps the group; -1 while it is not known. */
  partitionOfGroup (group: string): number {
    const view = this.#metadata.topic(GROUPS_TOPIC)
    return view === undefined ? -1 : partitionOfKey(utf8(group), view.partitions.length)
  }

  #coordinator (group: string): { leader: Leader, partition: number } {
    const partition = this.partitionOfGroup(group)
    const leader = this.#metadata.leader(GROUPS_TOPIC, partition)
    if (leader === undefined) {
      this.#metadata.requestRefresh()
      throw errorOf('LEADER_NOT_AVAILABLE', `group ${group} has no coordinator now`)
    }
    return { leader, partition }
  }

  /** Calls the coordinator until it answers. */
  coordinated<T> (group: string, patience: Patience, call: (address: string) => Promise<T>): Promise<T> {
    return retry({ ...this.#ports, ...patience, what: `the coordinator of group ${group}` }, async () => {
      const { leader, partition } = this.#coordinator(group)
      try {
        return await call(leader.address)
      } catch (error) {
        const detail = error instanceof WireError ? error.detail : {}
        if (!this.#metadata.hint(GROUPS_TOPIC, partition, detail)) this.#metadata.requestRefresh()
        this.#ports.onWaiting(`the coordinator of group ${group} (${toMillraceError(error).message})`)
        throw error
      }
    })
  }

  /**
   * Resolves when the offsets are durable on the quorum, with those that are not: they are another member's now.
   * @param sequence counts the commits of a member, so that one that arrives late undoes none after it
   */
  async commit (group: string, offsets: readonly PartitionOffset[], patience: Patience, by?: Committer,
    sequence = 0): Promise<PartitionOffset[]> {
    const fenced: PartitionOffset[] = []
    for (let start = 0; start < offsets.length; start += offsetsPerRequestMax) {
      const slice = offsets.slice(start, start + offsetsPerRequestMax)
      const request = { group, offsets: slice, ...by, sequence }
      fenced.push(...await this.coordinated(group, patience, async address => {
        const response = await this.#ports.net.call(address, 'CommitOffsets', request, callTimeoutMs)
        throwIfError(response.error)
        const isFenced = (index: number): boolean => response.offsets[index]?.error?.code === 'FENCED_MEMBER'
        for (const [index, { error }] of response.offsets.entries()) if (!isFenced(index)) throwIfError(error)
        return slice.filter((_, index) => isFenced(index))
      }))
    }
    return fenced
  }

  /** What the group committed for these partitions, or for all of them; those without a commit are left out. */
  async committed (group: string, partitions: readonly Omit<PartitionOffset, 'offset'>[] | 'all',
    patience: Patience, by?: Committer): Promise<CommittedOffset[]> {
    const found: CommittedOffset[] = []
    const asked: readonly Omit<PartitionOffset, 'offset'>[] = partitions === 'all' ? [] : partitions
    for (let start = 0; start === 0 || start < asked.length; start += offsetsPerRequestMax) {
      const offsets = asked.slice(start, start + offsetsPerRequestMax)
      if (partitions !== 'all' && offsets.length === 0) break
      const request = { group, offsets, ...by }
      found.push(...await this.coordinated(group, patience, async address => {
        const response = await this.#ports.net.call(address, 'GetCommittedOffsets', request, callTimeoutMs)
        throwIfError(response.error)
        for (const offset of response.offsets) throwIfError(offset.error)
        return response.offsets
      }))
    }
    return found
  }
}
