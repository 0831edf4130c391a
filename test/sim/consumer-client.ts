// A consuming client: the real client library in a process of its own. Everything it is given, and every
// position that its group had or committed, goes into the history.
import type { ConsumedBatch } from '../../client/consumed-batch.ts'
import type { Consumer } from '../../client/consumer.ts'
import { MillraceError, UnknownTopicError } from '../../client/errors.ts'
import type {
  AssignOperation, CommitOperation, CommittedOperation, EndsOperation, Key, PolledRecord, PollOperation
} from '../check/history.ts'
import type { ClientWorld } from './producer-client.ts'
import { makeClient } from './producer-client.ts'
import type { SimRng } from './rng.ts'
import type { SimProcess } from './scheduler.ts'

const decoder = new TextDecoder()

interface Place {
  readonly topic: string
  readonly partition: number
  readonly key: Key
}

export interface ConsumerRole {
  /** Commits under a group of its host, and begins where that stands. */
  readonly group: boolean
  /** Reads everything from the start, as fast as it can, and does nothing else. */
  readonly drain: boolean
}

export class ConsumerClient {
  readonly host: string
  readonly process: SimProcess
  readonly #world: ClientWorld
  readonly #rng: SimRng
  readonly #endsRng: SimRng
  #consumer: Consumer
  readonly #role: ConsumerRole
  readonly #group: string
  readonly #positions = new Map<Key, number>()
  /** One for each time that it began: in the history it is another process each time. */
  #name: string
  #begun = 0
  #stopped = false

  constructor (world: ClientWorld, host: string, name: string, role: ConsumerRole) {
    this.#world = world
    this.host = host
    this.#role = role
    this.#group = `group-of-${host}`
    this.process = world.cluster.scheduler.process(name)
    this.#rng = world.cluster.scheduler.rng.fork(`workload/${name}`)
    this.#endsRng = this.#rng.fork('ends')
    this.#name = name
    this.#consumer = this.#newConsumer()
    this.process.schedule(0, 'consume', () => { void this.#run() })
  }

  #newConsumer (): Consumer {
    return makeClient(this.#world, this.process, this.host).consumer({
      ...this.#role.group && { group: this.#group, autoCommitIntervalMs: 0 },
      prefetchBytes: this.#rng.pick([16_384, 1_048_576]),
      // Brokers live in zones 0 to 2 (broker.ts); some consumers read from whoever is near.
      rack: this.#rng.pick(['', 'zone-0', 'zone-1', 'zone-2'])
    })
  }

  /** The next offset that it wants. */
  positionOf (key: Key): number { return this.#positions.get(key) ?? 0 }

  stop (): void { this.#stopped = true }

  async #run (): Promise<void> {
    for (;;) {
      try {
        while (!await this.#assigned()) await this.#pause(500)
        await this.#read()
        return
      } catch (error) {
        if (!this.#mayBeGone(error)) throw error
        this.#world.coverage.reached('a consumer was told that its topic is gone')
      }
      await this.#consumer.close()
      await this.#pause(500)
      this.#name = `${this.process.name}.${++this.#begun}`
      this.#positions.clear()
      this.#consumer = this.#newConsumer()
    }
  }

  /** What a topic that is deleted and made again does to its readers. */
  #mayBeGone (error: unknown): boolean {
    return error instanceof UnknownTopicError && this.#world.topics.all.some(({ transient }) => transient === true)
  }

  async #read (): Promise<void> {
    for await (const batch of this.#consumer.batches()) {
      if (this.#stopped) return
      this.#polled(batch)
      if (this.#role.drain) continue
      if (this.#rng.chance(0.05)) await this.#pause(this.#rng.exponential(200))
      if (this.#role.group && this.#rng.chance(0.1)) await this.#commit()
      if (this.#rng.chance(0.01)) this.#seek(batch)
      if (this.#endsRng.chance(0.03)) await this.#askEnds()
    }
  }

  async #askEnds (): Promise<void> {
    const { history, topics } = this.#world
    const operation = history.begin<EndsOperation>({ kind: 'ends', process: this.#name, offsets: [] })
    try {
      for (const { topic, partition, offset } of await this.#consumer.endOffsets({ timeoutMs: 2_000 })) {
        if (!this.#stays(topic)) continue
        operation.offsets.push({ key: topics.key(topic, topics.idOf(topic), partition), offset })
      }
      history.end(operation, 'ok')
    } catch (error) {
      if (!(error instanceof MillraceError) || (!error.retriable && !this.#mayBeGone(error))) throw error
      history.end(operation, 'unknown', error.message)
    }
  }

  #pause (ms: number): Promise<void> {
    return new Promise((resolve) => { this.process.clock.setTimer(ms, resolve) })
  }

  /**
   * What it reads, of topics that stay: of others nobody can say which one of the name an offset means, unless
   * nothing is deleted any more.
   */
  #places (): Place[] {
    const { topics } = this.#world
    return this.#consumer.assignment().filter(({ topic }) => this.#role.drain || this.#stays(topic))
      .map(({ topic, partition }) => ({ topic, partition, key: topics.key(topic, topics.idOf(topic), partition) }))
  }

  #stays (topic: string): boolean { return this.#world.topics.lasting.some(({ name }) => name === topic) }

  async #assigned (): Promise<boolean> {
    const { history, topics, coverage } = this.#world
    const asked = this.#role.group
      ? history.begin<CommittedOperation>({ kind: 'committed', process: this.#name, group: this.#group, offsets: [] })
      : undefined
    try {
      await this.#consumer.assign(
        topics.ordinary.map(({ name }) => ({ topic: name, partitions: 'all', from: 'start' })))
    } catch (error) {
      if (asked !== undefined) history.end(asked, 'unknown')
      if (error instanceof MillraceError && error.retriable) return false
      throw error
    }
    const assigned = history.begin<AssignOperation>({
      kind: 'assign', process: this.#name,
      positions: this.#places().map((place) => {
        const committed = this.#consumer.position(place)
        // A partition that came while it was being assigned may have found its start already.
        if (committed !== 0) asked?.offsets.push({ key: place.key, offset: committed })
        if ((committed ?? 0) > 0) coverage.reached('a group resumed')
        this.#positions.set(place.key, committed ?? 0)
        return { key: place.key, offset: committed ?? 0 }
      })
    })
    history.end(assigned, 'ok')
    if (asked !== undefined) history.end(asked, 'ok')
    return true
  }

  #polled (batch: ConsumedBatch): void {
    const { history, topics } = this.#world
    const key = topics.key(batch.topic, batch.topicId, batch.partition)
    const records: PolledRecord[] = []
    for (const { offset, value } of batch) {
      records.push({ key, offset, value: decoder.decode(value ?? undefined).split(' ')[0]! })
    }
    const ends = [{ key, offset: batch.highWatermark }]
    const { leaderEpoch } = batch
    history.end(history.begin<PollOperation>({ kind: 'poll', process: this.#name, records, ends, leaderEpoch }), 'ok')
    this.#positions.set(key, batch.lastOffset + 1)
    this.#world.committed(batch.topicId, batch.partition, batch.lastOffset, `${this.process.name} read it`, leaderEpoch)
  }

  async #commit (): Promise<void> {
    const { history } = this.#world
    const places = this.#places().filter(({ key }) => this.#positions.has(key))
    const offsets = places.map(({ topic, partition, key }) => ({ topic, partition, offset: this.#positions.get(key)! }))
    const operation = history.begin<CommitOperation>({
      kind: 'commit', process: this.#name, group: this.#group,
      offsets: places.map(({ key }) => ({ key, offset: this.#positions.get(key)! }))
    })
    try {
      await this.#consumer.commit(offsets, { timeoutMs: this.#rng.pick([1_000, 30_000]) })
      history.end(operation, 'ok')
    } catch (error) {
      if (!(error instanceof MillraceError) || !error.retriable) throw error
      history.end(operation, 'unknown', error.message)
    }
  }

  #seek ({ topic, topicId, partition, lastOffset }: ConsumedBatch): void {
    if (!this.#stays(topic)) return
    const { history, topics } = this.#world
    const offset = this.#rng.integer(lastOffset + 1)
    const key = topics.key(topic, topicId, partition)
    this.#consumer.seek({ topic, partition }, offset)
    this.#positions.set(key, offset)
    history.end(history.begin<AssignOperation>({
      kind: 'assign', process: this.#name, positions: [{ key, offset }]
    }), 'ok')
  }
}
