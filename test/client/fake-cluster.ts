// Brokers in memory that keep one perfect log per partition and follow the rules of producer state
// (replication.md), so that tests of the client can fail them in every way and look at the logs.
import { BatchBuilder } from '../../wire/batch-builder.ts'
import { decodeRecords } from '../../wire/batch-reader.ts'
import type { Decompress } from '../../wire/batch-reader.ts'
import { nodeCodec } from '../../wire/adapters/node-compression.ts'
import { openBlock } from '../../wire/compression.ts'
import { WireError } from '../../wire/errors.ts'
import type { ErrorCode } from '../../wire/errors.ts'
import type {
  CommittedOffset, ErrorDetail, FetchRequest, FetchRequest_Subscribe, FetchResponse, GetMetadataResponse,
  ListOffsetsRequest_Query, ListOffsetsResponse_Result, PartitionRow, ProduceRequest, ProduceResponse, TopicInfo,
  TopicMetadata
} from '../../wire/messages.ts'
import { parseBatchHeader, stampBaseOffset, stampLeaderEpoch, validateBatch } from '../../wire/record-batch.ts'
import type { BatchHeader } from '../../wire/record-batch.ts'
import { partitionOfKey } from '../../wire/murmur2.ts'
import { utf8 } from '../../wire/bytes.ts'
import type { Services, Stream, StreamHandlers } from '../../wire/ports.ts'

const opener: Decompress = (codecId, block) => openBlock(nodeCodec, codecId, block, 1 << 30)
const limits = { batchBytesMax: 1 << 20, recordsMax: 1 << 20, timestampMax: Number.MAX_SAFE_INTEGER }

interface Entry { readonly header: BatchHeader, readonly bytes: Uint8Array }
interface ProducerState { epoch: number, next: number, recent: { first: number, count: number, offset: number }[] }

export class FakePartition {
  leader = 0
  leaderEpoch = 0
  version = 0
  inSync = [0, 1, 2]
  logStart = 0
  end = 0
  entries: Entry[] = []
  readonly producers = new Map<number, ProducerState>()

  /** Every record in the log, in order. */
  records (): ReturnType<typeof decodeRecords> {
    return this.entries.flatMap(({ header, bytes }) => decodeRecords(bytes, { ...header, position: 0 }, opener))
  }

  values (): string[] { return this.records().map(record => Buffer.from(record.value ?? []).toString()) }
}

/** What happens to a batch: a code refuses it, 'lose' drops it, 'mute' appends it and does not answer. */
export type Verdict = 'ok' | ErrorCode | 'lose' | 'mute'

interface Subscription {
  readonly id: number
  readonly broker: number
  readonly topic: string
  readonly partition: number
  offset: number
  credit: number
  watermark: number
  readonly stream: Stream<FetchResponse>
}

/** Where the brokers listen. */
export interface Ground {
  listen (address: string, services: Services): unknown
  stop (address: string): void
}

export class FakeCluster {
  readonly #net: Ground
  readonly topics = new Map<string, { info: TopicInfo, partitions: FakePartition[] }>()
  readonly addresses: string[]
  /** By broker id. */
  readonly racks: string[] = []
  readonly live = new Set<number>()
  readonly subscriptions = new Set<Subscription>()
  readonly committed = new Map<string, CommittedOffset>()
  /** What to do with a batch. */
  verdict: (topic: string, partition: number, header: BatchHeader) => Verdict = () => 'ok'
  /** What a question for an offset is answered with instead, if with anything. */
  listRefusal: ErrorCode | undefined
  /** Throws what a broker refuses a subscription with, if it does. */
  refuse: (id: number, subscribe: FetchRequest_Subscribe) => void = () => {}
  /** Bytes of produce requests, as they came. */
  readonly produced: ProduceRequest[] = []
  #nextTopic = 1
  readonly #groups: ((id: number) => Services) | undefined

  /** @param groups what a broker serves of groups, instead of the simple register here */
  constructor (net: Ground, brokers = 3, groups?: (id: number) => Services) {
    this.#net = net
    this.#groups = groups
    this.addresses = Array.from({ length: brokers }, (_, id) => `broker-${id}:9090`)
    for (let id = 0; id < brokers; id++) this.start(id)
  }

  start (id: number): void {
    this.live.add(id)
    void this.#net.listen(this.addresses[id]!, {
      streams: {
        Produce: stream => this.#produce(id, stream),
        Fetch: stream => this.#fetch(id, stream),
        ...this.#groups?.(id).streams
      },
      unary: {
        GetMetadata: request => Promise.resolve(this.metadata(request.topics, request.includeInternal)),
        ListOffsets: request => Promise.resolve({ results: request.queries.map(query => this.#listOffset(id, query)) }),
        CommitOffsets: request => this.#commit(id, request.group, request.offsets),
        GetCommittedOffsets: request => this.#getCommitted(id, request.group, request.offsets),
        ...this.#groups?.(id).unary
      }
    })
  }

  kill (id: number): void {
    this.live.delete(id)
    this.#net.stop(this.addresses[id]!)
    for (const subscription of [...this.subscriptions]) {
      if (subscription.broker === id) this.subscriptions.delete(subscription)
    }
  }

  /** Moves leadership; the old leader refuses from now on. */
  elect (topic: string, partition: number, leader: number): void {
    const state = this.partition(topic, partition)
    state.leader = leader
    state.leaderEpoch++
    state.version++
  }

  create (name: string, partitions: number): void {
    const topicId = (this.#nextTopic++).toString(16).padStart(16, '0')
    this.topics.set(name, {
      info: infoOf(topicId, name, partitions),
      partitions: Array.from({ length: partitions }, (_, index) => {
        const partition = new FakePartition()
        partition.leader = index % this.addresses.length
        return partition
      })
    })
  }

  /** Appends one batch without a producer. */
  write (name: string, partition: number, values: readonly string[], timestamp = 1): void {
    const builder = new BatchBuilder(64)
    for (const value of values) builder.append(timestamp, null, utf8(value))
    this.append(name, partition, builder.finish())
  }

  append (name: string, partition: number, bytes: Uint8Array): void {
    this.#append(this.partition(name, partition), bytes, parseBatchHeader(bytes))
    this.#push()
  }

  /** Gives a topic more partitions. */
  grow (name: string, partitions: number): void {
    const topic = this.topics.get(name)!
    topic.info.partitions = partitions
    while (topic.partitions.length < partitions) topic.partitions.push(new FakePartition())
  }

  partition (topic: string, partition: number): FakePartition {
    const state = this.topics.get(topic)?.partitions[partition]
    if (state === undefined) throw new WireError('UNKNOWN_TOPIC')
    return state
  }

  metadata (names: readonly string[] = [], internal = false): GetMetadataResponse {
    const wanted = names.length > 0 ? names : [...this.topics.keys()].filter(name => internal || !name.startsWith('__'))
    return {
      cluster: 'events',
      clusterUid: 'uid',
      controller: 0,
      controllerEpoch: 1,
      brokers: this.addresses.map((clientAddress, brokerId) => ({
        brokerId, volumeId: '', brokerEpoch: 1, incarnation: '', fenced: !this.live.has(brokerId), stopping: false,
          clientAddress, peerAddress: '', rack: this.racks[brokerId] ?? '', draining: false, listeners: [],
          maintenance: false
      })),
      topics: wanted.map(name => this.#topicMetadata(name))
    }
  }

  #topicMetadata (name: string): TopicMetadata {
    const topic = this.topics.get(name)
    if (topic === undefined) {
      return {
        error: detailOf(new WireError('UNKNOWN_TOPIC')),
        topic: infoOf('', name, 0),
        partitions: []
      }
    }
    const partitions = topic.partitions.map(({ leader, leaderEpoch, version, inSync }, partition): PartitionRow => ({
      topicId: topic.info.topicId, partition, replicas: [0, 1, 2], leader, leaderEpoch, version,
      inSync: inSync.map(brokerId => ({ brokerId, volumeId: '', replicaGen: 0 })), minInSync: 2,
      adding: [], removing: [], barred: []
    }))
    return { topic: topic.info, partitions }
  }

  /** Throws unless broker `id` leads the partition. */
  #lead (id: number, topic: string, partition: number): FakePartition {
    const state = this.topics.get(topic)?.partitions[partition]
    if (state === undefined) throw new WireError('UNKNOWN_TOPIC')
    if (state.leader !== id) {
      const { leader, leaderEpoch } = state
      throw new WireError('NOT_LEADER', undefined, { leader, leaderEpoch, leaderAddress: this.addresses[leader] ?? '' })
    }
    return state
  }

  #produce (id: number, stream: Stream<ProduceResponse>): StreamHandlers<ProduceRequest> {
    return {
      message: request => {
        this.produced.push(request)
        const { correlationId } = request
        let baseOffset = -1
        let verdict: Verdict = 'ok'
        try {
          const partition = this.#lead(id, request.topic, request.partition)
          const header = validateBatch(request.batch, limits)
          verdict = this.verdict(request.topic, request.partition, header)
          if (verdict === 'lose') return
          if (verdict !== 'ok' && verdict !== 'mute') throw new WireError(verdict)
          baseOffset = this.#append(partition, request.batch, header)
        } catch (error) {
          if (!(error instanceof WireError)) throw error
          stream.send({ correlationId, error: detailOf(error) })
          return
        }
        if (verdict === 'ok') stream.send({ correlationId, baseOffset, leaderEpoch: 0 })
        this.#push()
      },
      close: () => {}
    }
  }

  #append (partition: FakePartition, bytes: Uint8Array, header: BatchHeader): number {
    const { producerId, producerEpoch, baseSequence: first, recordsCount: count } = header
    let state = producerId < 0 ? undefined : partition.producers.get(producerId)
    if (state !== undefined && producerEpoch < state.epoch) throw new WireError('INVALID_PRODUCER_EPOCH')
    if (state !== undefined && producerEpoch > state.epoch) {
      if (first !== 0) throw new WireError('OUT_OF_ORDER_SEQUENCE')
      state = undefined
    }
    const repeat = state?.recent.find(batch => batch.first === first && batch.count === count)
    if (repeat !== undefined) return repeat.offset
    if (state !== undefined && first !== state.next) throw new WireError('OUT_OF_ORDER_SEQUENCE')
    const offset = partition.end
    stampBaseOffset(bytes, offset)
    stampLeaderEpoch(bytes, partition.leaderEpoch)
    partition.entries.push({ header: parseBatchHeader(bytes), bytes })
    partition.end += count
    const recent = [...state?.recent ?? [], { first, count, offset }].slice(-5)
    partition.producers.set(producerId, { epoch: producerEpoch, next: (first + count) % 2 ** 31, recent })
    return offset
  }

  #fetch (id: number, stream: Stream<FetchResponse>): StreamHandlers<FetchRequest> {
    const mine = new Map<number, Subscription>()
    return {
      message: ({ subscribe, credit, unsubscribe }) => {
        const credited = credit === undefined ? undefined : mine.get(credit.subscriptionId)
        if (credited !== undefined) credited.credit += credit!.bytes
        if (unsubscribe !== undefined) {
          const subscription = mine.get(unsubscribe.subscriptionId)
          if (subscription !== undefined) this.subscriptions.delete(subscription)
        }
        if (subscribe !== undefined) this.#subscribe(id, stream, subscribe, mine)
        this.#push()
      },
      close: () => { for (const subscription of mine.values()) this.subscriptions.delete(subscription) }
    }
  }

  #subscribe (id: number, stream: Stream<FetchResponse>, subscribe: FetchRequest_Subscribe,
    mine: Map<number, Subscription>): void {
    const { subscriptionId, topic, partition, offset, creditBytes: credit, topicId, fromFollower } = subscribe
    try {
      this.refuse(id, subscribe)
      const state = fromFollower ? this.partition(topic, partition) : this.#lead(id, topic, partition)
      const current = this.topics.get(topic)!.info.topicId
      if (topicId !== '' && topicId !== current) throw new WireError('UNKNOWN_TOPIC_ID')
      const { logStart, end: highWatermark } = state
      if (offset < logStart || offset > highWatermark) {
        throw new WireError('OFFSET_OUT_OF_RANGE', undefined, { logStart, highWatermark })
      }
      const subscription = { id: subscriptionId, broker: id, topic, partition, offset, credit, watermark: -1, stream }
      mine.set(subscriptionId, subscription)
      this.subscriptions.add(subscription)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      stream.send({ ...emptyFetch, subscriptionId, error: detailOf(error) })
    }
  }

  /** Sends every subscription what it has credit for. */
  #push (): void {
    for (const subscription of this.subscriptions) {
      const state = this.partition(subscription.topic, subscription.partition)
      while (subscription.credit > 0) {
        const entry = state.entries.find(({ header }) => header.lastOffset >= subscription.offset)
        if (entry === undefined && subscription.watermark === state.end) break
        const records = entry?.bytes ?? new Uint8Array(0)
        subscription.credit -= records.length
        subscription.offset = entry === undefined ? subscription.offset : entry.header.lastOffset + 1
        subscription.watermark = state.end
        const { end: highWatermark, logStart, leaderEpoch } = state
        subscription.stream.send({ subscriptionId: subscription.id, records, highWatermark, logStart, leaderEpoch })
      }
    }
  }

  /** Ends the subscriptions of a partition with an error, as a broker that steps down does. */
  endSubscriptions (topic: string, partition: number, error: WireError): void {
    for (const subscription of [...this.subscriptions]) {
      if (subscription.topic !== topic || subscription.partition !== partition) continue
      this.subscriptions.delete(subscription)
      subscription.stream.send({ ...emptyFetch, subscriptionId: subscription.id, error: detailOf(error) })
    }
  }

  #listOffset (id: number, query: ListOffsetsRequest_Query): ListOffsetsResponse_Result {
    const { topic, partition, target } = query
    const result = { topic, partition, offset: -1, timestamp: -1, leaderEpoch: -1 }
    try {
      if (this.listRefusal !== undefined) throw new WireError(this.listRefusal)
      const { end, entries, leaderEpoch, logStart } = this.#lead(id, topic, partition)
      if (target === 'OFFSET_TARGET_EARLIEST') return { ...result, leaderEpoch, offset: logStart }
      if (target === 'OFFSET_TARGET_LATEST') return { ...result, leaderEpoch, offset: end }
      for (const { header, bytes } of entries) {
        const found = decodeRecords(bytes, header).find(record => record.timestamp >= query.timestamp)
        if (found !== undefined) return { ...result, leaderEpoch, offset: found.offset, timestamp: found.timestamp }
      }
      return { ...result, leaderEpoch, offset: end }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return { ...result, error: detailOf(error) }
    }
  }

  #coordinate (id: number, group: string): void {
    const groups = this.topics.get('__groups')
    if (groups === undefined) throw new WireError('COORDINATOR_LOADING')
    const leader = groups.partitions[partitionOfKey(utf8(group), groups.partitions.length)]!.leader
    if (leader !== id) throw new WireError('NOT_COORDINATOR')
  }

  #commit (id: number, group: string, offsets: CommittedOffset[]): Promise<{ offsets: CommittedOffset[] }> {
    try {
      this.#coordinate(id, group)
    } catch (error) {
      return Promise.reject(error as WireError)
    }
    for (const offset of offsets) this.committed.set(`${group} ${offset.topicId} ${offset.partition}`, offset)
    return Promise.resolve({ offsets })
  }

  #getCommitted (id: number, group: string, asked: CommittedOffset[]): Promise<{ offsets: CommittedOffset[] }> {
    try {
      this.#coordinate(id, group)
    } catch (error) {
      return Promise.reject(error as WireError)
    }
    const all = [...this.committed].filter(([key]) => key.startsWith(`${group} `)).map(([, offset]) => offset)
    const offsets = asked.length === 0
      ? all
      : all.filter(offset => asked.some(each => each.topicId === offset.topicId && each.partition === offset.partition))
    return Promise.resolve({ offsets })
  }
}

const emptyFetch = { records: new Uint8Array(0), highWatermark: 0, logStart: 0, leaderEpoch: 0 }

function detailOf (error: WireError): ErrorDetail {
  return {
    code: '',
    message: '',
    leader: -1,
    leaderEpoch: -1,
    leaderAddress: '',
    logStart: 0,
    highWatermark: 0,
    retryAfterMs: 0,
    controllerAddress: '',
    ...error.toDetail() as Partial<ErrorDetail>
  }
}

function infoOf (topicId: string, name: string, partitions: number): TopicInfo {
  return {
    topicId,
    name,
    internal: name.startsWith('__'),
    partitions,
    replicas: 3,
    minInSync: 2,
    retentionMs: -1,
    retentionBytes: -1,
    segmentBytes: 1 << 30,
    deleting: false,
    orphaned: false
  }
}
