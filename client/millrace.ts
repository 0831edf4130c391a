// The client: one per process and cluster is enough. Made of ports alone, so that the simulator runs it.
import { noCodec } from '../wire/compression.ts'
import type { Codec, Compression, FindCodec } from '../wire/compression.ts'
import type { Clock, Net, Rng } from '../wire/ports.ts'
import { parseBootstrap } from './addresses.ts'
import { Admin } from './admin.ts'
import { Consumer } from './consumer.ts'
import type { ConsumerOptions } from './consumer-options.ts'
import { errorOf } from './errors.ts'
import { Metadata } from './metadata.ts'
import type { ClientPorts } from './metadata.ts'
import type { Bytes } from './outgoing.ts'
import { Producer } from './producer.ts'
import type { ProducerOptions } from './producer-options.ts'

export interface ClientOptions {
  /** Addresses of one or more brokers, host:port; the others are found through them. */
  readonly bootstrap: string | readonly string[]
  /** Told whenever a broker, a leader or a topic is waited for; may be told the same thing often. */
  readonly onWaiting?: ((what: string) => void) | undefined
  /** Compression of one's own making, instead of Node's and the packages that are looked for. */
  readonly codecs?: { readonly [name in Compression]?: Codec } | undefined
}

export interface OutsideWorld {
  readonly net: Net
  readonly clock: Clock
  readonly rng: Rng
  readonly codecs?: FindCodec
}

export class MillraceClient {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #open = new Set<{ close (options: { readonly timeoutMs?: number }): Promise<unknown> }>()
  #closed = false

  /** @throws MillraceError INVALID_REQUEST for a bootstrap that is no list of addresses. */
  constructor (options: ClientOptions, world: OutsideWorld) {
    const bootstrap = parseBootstrap(options.bootstrap)
    const { onWaiting, codecs } = options
    const { codecs: find = noCodec } = world
    this.#ports = {
      net: world.net,
      clock: world.clock,
      rng: world.rng,
      onWaiting: what => { onWaiting?.(what) },
      codecs: name => codecs?.[name] ?? find(name)
    }
    this.#metadata = new Metadata(this.#ports, bootstrap)
  }

  /** @throws MillraceError CLOSED, UNSUPPORTED_COMPRESSION. */
  producer<K = Bytes, V = Bytes> (options: ProducerOptions<K, V> = {}): Producer<K, V> {
    this.#check()
    const producer: Producer<K, V> = new Producer(this.#ports, this.#metadata, options,
      () => { this.#open.delete(producer) })
    this.#open.add(producer)
    return producer
  }

  /** @throws MillraceError CLOSED. */
  consumer<K = Uint8Array, V = Uint8Array> (options: ConsumerOptions<K, V> = {}): Consumer<K, V> {
    this.#check()
    const consumer: Consumer<K, V> = new Consumer(this.#ports, this.#metadata, options,
      () => { this.#open.delete(consumer) })
    this.#open.add(consumer)
    return consumer
  }

  admin (): Admin {
    this.#check()
    return new Admin(this.#ports, this.#metadata)
  }

  #check (): void {
    if (this.#closed) throw errorOf('CLOSED', 'the client is closed')
  }

  /**
   * Closes its producers (after sending what they accepted) and consumers (after a last commit), then the
   * connections. Rejects when a last commit failed.
   */
  async close (options: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      await Promise.all([...this.#open].map(each => each.close(options)))
    } finally {
      this.#metadata.close()
      await this.#ports.net.close()
    }
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.close()
  }
}
