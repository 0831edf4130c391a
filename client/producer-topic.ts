// One topic of a producer: its lanes, its partitioner, and the records that wait for metadata or for room.
import { partitionOfKey } from '../wire/murmur2.ts'
import { cancelled } from './waiting.ts'
import { errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { Fifo } from './fifo.ts'
import type { EncodedRecord } from './outgoing.ts'
import { RoundRobin, Sticky } from './partitioner.ts'
import type { Countdown, RecordMetadata } from './produce-batch.ts'
import { ProduceLane } from './produce-lane.ts'
import type { LaneHost } from './produce-lane.ts'
import type { ProducerSettings } from './producer-options.ts'

/** A record that `send` took and that is in no batch yet. */
export interface WaitingSend {
  readonly record: EncodedRecord
  readonly deadline: number
  readonly countdowns: Countdown[]
  readonly resolve: (metadata: RecordMetadata) => void
  readonly reject: (error: MillraceError) => void
}

function fail (send: WaitingSend, error: MillraceError): void {
  send.reject(error)
  for (const countdown of send.countdowns) countdown.remove()
}

export class ProducerTopic {
  readonly name: string
  readonly #host: LaneHost
  readonly #settings: ProducerSettings
  readonly #lanes: (ProduceLane | undefined)[] = []
  readonly #sticky: Sticky
  readonly #roundRobin: RoundRobin
  /** In the order of the calls. */
  readonly waiting = new Fifo<WaitingSend>()
  #partitions = 0

  constructor (host: LaneHost, settings: ProducerSettings, name: string) {
    this.#host = host
    this.#settings = settings
    this.name = name
    this.#sticky = new Sticky(host.ports.rng, settings.batchBytes)
    this.#roundRobin = new RoundRobin(host.ports.rng)
    this.refresh()
  }

  /** 0 until the topic is known. */
  get partitions (): number { return this.#partitions }
  get place (): { readonly topic: string } { return { topic: this.name } }

  /** Takes over what metadata knows now; a topic that is gone keeps its last number of partitions. */
  refresh (): void {
    this.#partitions = this.#host.metadata.topic(this.name)?.partitions.length ?? this.#partitions
  }

  lane (partition: number): ProduceLane {
    return this.#lanes[partition] ??= new ProduceLane(this.#host, this.name, partition)
  }

  /** A batch of the partition was sent: records without a key may go elsewhere now. */
  sent (partition: number): void {
    this.#sticky.sent(partition)
  }

  /** @throws MillraceError UNKNOWN_PARTITION, INVALID_REQUEST (a partitioner of one's own that errs). */
  partitionOf (record: EncodedRecord): number {
    if (record.partition >= 0) return this.checked(record.partition)
    const { partitioner } = this.#settings
    if (typeof partitioner === 'function') {
      const chosen = partitioner(record, this.#partitions)
      if (Number.isInteger(chosen) && chosen >= 0 && chosen < this.#partitions) return chosen
      throw errorOf('INVALID_REQUEST', `the partitioner chose ${chosen} of ${this.#partitions} partitions`, this.place)
    }
    const { key, value } = record
    return key === null
      ? this.partitionWithoutKey(value?.length ?? 0)
      : this.partitionOfRange(key, 0, key.length)
  }

  partitionOfRange (key: Uint8Array, start: number, end: number): number {
    if (this.#settings.partitioner === 'round-robin') return this.#roundRobin.pick(this.#partitions)
    return partitionOfKey(key, this.#partitions, start, end)
  }

  partitionWithoutKey (recordBytes: number): number {
    if (this.#settings.partitioner === 'round-robin') return this.#roundRobin.pick(this.#partitions)
    return this.#sticky.pick(this.#partitions, recordBytes, this.#isLed)
  }

  readonly #isLed = (partition: number): boolean => this.#host.metadata.leader(this.name, partition) !== undefined

  /** The partition itself, if there is one. */
  checked (partition: number): number {
    if (partition < this.#partitions) return partition
    // It may have been added just now: the next try will know.
    this.#host.metadata.requestRefresh()
    throw errorOf('UNKNOWN_PARTITION', `topic ${this.name} has partitions 0 to ${this.#partitions - 1}, ` +
      `not ${partition}`, { topic: this.name, partition })
  }

  wait (send: WaitingSend, signal: AbortSignal | undefined): void {
    this.waiting.push(send)
    signal?.addEventListener('abort', () => {
      if (this.waiting.remove(send)) fail(send, cancelled())
    }, { once: true })
  }

  /** Takes records from the queue as long as `admit` takes them; one that it throws at fails with that. */
  admitWaiting (admit: (send: WaitingSend) => boolean, asError: (error: unknown) => MillraceError): void {
    for (let first = this.waiting.peek(); first !== undefined; first = this.waiting.peek()) {
      try {
        if (!admit(first)) return
        this.waiting.shift()
      } catch (error) {
        this.waiting.shift()
        fail(first, asError(error))
      }
    }
  }

  failWaiting (error: MillraceError): void {
    for (const send of this.waiting.clear()) fail(send, error)
  }

  /** Gives up on records that have waited for too long. */
  expireWaiting (now: number, failure: MillraceError | undefined): void {
    for (let first = this.waiting.peek(); first !== undefined && now >= first.deadline; first = this.waiting.peek()) {
      this.waiting.shift()
      const why = this.#partitions > 0 ? 'the buffer is full' : failure?.message ?? 'the topic is not known yet'
      fail(first, errorOf('TIMED_OUT', `a record for ${this.name} waited ` +
        `${this.#settings.deliveryTimeoutMs / 1000} s (${why}); not written`, this.place, { cause: failure }))
    }
  }
}
