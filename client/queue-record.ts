// A record of a queue in the hands of the application.
import type { Header } from '../wire/batch-builder.ts'
import type { CallOptions } from './call-options.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import type { ClientPorts } from './metadata.ts'
import type { Hand, Holding } from './queue-hand.ts'
import type { QueueRecord, ReleaseOptions } from './queue-options.ts'

export class HeldRecord<K, V> implements QueueRecord<K, V> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: K | null
  readonly value: V | null
  readonly headers: readonly Header[]
  readonly leaderEpoch: number
  readonly #hand: Hand
  readonly #ports: ClientPorts
  readonly #holding: Holding

  constructor (hand: Hand, ports: ClientPorts, holding: Holding, record: ConsumerRecord<K, V>) {
    this.#hand = hand
    this.#ports = ports
    this.#holding = holding
    this.topic = record.topic
    this.partition = record.partition
    this.offset = record.offset
    this.timestamp = record.timestamp
    this.key = record.key
    this.value = record.value
    this.headers = record.headers
    this.leaderEpoch = record.leaderEpoch
  }

  get deliveries (): number { return this.#holding.deliveries }
  get isSettled (): boolean { return this.#holding.state !== 'out' }

  acknowledge (options: CallOptions = {}): Promise<void> {
    return this.#hand.settle(this.#holding, 'QUEUE_OUTCOME_ACKNOWLEDGED', '', 0, options)
  }

  release ({ delayMs = 0, reason = 'released', ...options }: ReleaseOptions = {}): Promise<void> {
    return this.#hand.settle(this.#holding, 'QUEUE_OUTCOME_RELEASED', reason, delayMs, options)
  }

  reject (reason = 'rejected', options: CallOptions = {}): Promise<void> {
    return this.#hand.settle(this.#holding, 'QUEUE_OUTCOME_REJECTED', reason, 0, options)
  }

  renew (): void {
    this.#holding.since = this.#ports.clock.now()
  }
}
