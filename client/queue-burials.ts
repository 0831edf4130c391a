// Writes records to the dead-letter topic, with headers that say why. The coordinator gave them to this member for
// that; it counts them as finished only when they are there, and gives them to another member should this one die.
import { utf8 } from '../wire/bytes.ts'
import type { Header } from '../wire/batch-builder.ts'
import { toMillraceError } from './errors.ts'
import { queueBurialMs } from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import { Producer } from './producer.ts'
import type { Burial, Hand, Holding } from './queue-hand.ts'

export const deadLetterPrefix = 'millrace.dead-letter.'

/** As in the record, and behind them where it came from and why it is here. */
export function deadLetterHeaders (group: string, { record, deliveries }: Holding,
  { reason, cause }: Burial): Header[] {
  const { topic, partition, offset, timestamp, headers } = record!
  const facts = { group, topic, partition, offset, timestamp, deliveries, cause, reason }
  const before = headers.filter(({ key }) => !key.startsWith(deadLetterPrefix))
  return [...before, ...Object.entries(facts).map(([name, fact]) =>
    ({ key: `${deadLetterPrefix}${name}`, value: utf8(String(fact)) }))]
}

export class Burials {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #group: string
  readonly #hand: () => Hand
  #producer: Producer<Uint8Array, Uint8Array> | undefined

  constructor (ports: ClientPorts, metadata: Metadata, group: string, hand: () => Hand) {
    this.#ports = ports
    this.#metadata = metadata
    this.#group = group
    this.#hand = hand
  }

  bury (holding: Holding, burial: Burial): void {
    this.#producer ??= new Producer(this.#ports, this.#metadata, { deliveryTimeoutMs: queueBurialMs }, () => {})
    const { key, value } = holding.record!
    this.#producer.send({ topic: burial.topic, key, value, headers: deadLetterHeaders(this.#group, holding, burial) })
      .then(() => this.#hand().settle(holding, 'QUEUE_OUTCOME_DEAD_LETTERED', ''), (error: unknown) => {
        const { message } = toMillraceError(error)
        this.#ports.onWaiting(`dead-letter topic ${burial.topic} (${message})`)
        return this.#hand().settle(holding, 'QUEUE_OUTCOME_STUCK', message)
      })
      // The coordinator has given it to another member, which writes it once more.
      .catch(() => {})
  }

  async close (timeoutMs: number): Promise<void> {
    await this.#producer?.close({ timeoutMs })
  }
}
