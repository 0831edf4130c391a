// The client: one per process and cluster is enough. Made of ports alone, so that the simulator runs it.
import { noCodec } from '../wire/compression.ts'
import type { Codec, Compression, FindCodec } from '../wire/compression.ts'
import type { Clock, Net, Rng } from '../wire/ports.ts'
import { parseBootstrap } from './addresses.ts'
import { Admin } from './admin.ts'
import type { CloseOptions } from './call-options.ts'
import { Consumer } from './consumer.ts'
import type { ConsumerOptions } from './consumer-options.ts'
import { errorOf } from './errors.ts'
import { Metadata } from './metadata.ts'
import type { Tell } from './events.ts'
import { logged } from './log.ts'
import type { ClientLog } from './log.ts'
import type { ClientPorts } from './metadata.ts'
import { metricsIn } from './metrics.ts'
import type { ClientMetrics, Gauged, Lag, MetricsRegistry } from './metrics.ts'
import type { Bytes } from './outgoing.ts'
import { Producer } from './producer.ts'
import type { LostRecords, ProducerOptions } from './producer-options.ts'
import { Queue } from './queue.ts'
import type { QueueOptions } from './queue-options.ts'
import type { Tracing } from './tracing.ts'

/** What `new Millrace()` can be told; `bootstrap` is enough. */
export interface ClientOptions {
  /** Addresses of one or more brokers, host:port; the others are found through them. */
  readonly bootstrap: string | readonly string[]
  /** Told whenever a broker, a leader or a topic is waited for; may be told the same thing often. */
  readonly onWaiting?: ((what: string) => void) | undefined
  /** Compression of one's own making, instead of Node's and the packages that are looked for. */
  readonly codecs?: { readonly [name in Compression]?: Codec } | undefined
  /** Where notes go, as pino has it: `log.warn({ ... }, 'sentence')`. */
  readonly log?: ClientLog | undefined
  /** A Registry of prom-client, which the client's metrics are put into (millrace_client_...). */
  readonly metrics?: MetricsRegistry | undefined
  /** False: no spans, even where @opentelemetry/api is installed. */
  readonly tracing?: boolean | undefined
}

export interface OutsideWorld {
  readonly net: Net
  readonly clock: Clock
  readonly rng: Rng
  readonly codecs?: FindCodec
  readonly publish?: Tell
  readonly tracing?: Tracing | undefined
}

interface Open extends Gauged {
  close (options: CloseOptions): Promise<readonly LostRecords[] | void>
}

export class MillraceClient {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #open = new Set<Open>()
  readonly #metrics: ClientMetrics | undefined
  #closed = false

  /** @throws MillraceError INVALID_REQUEST for a bootstrap that is no list of addresses. */
  constructor (options: ClientOptions, world: OutsideWorld) {
    const bootstrap = parseBootstrap(options.bootstrap)
    const { onWaiting, codecs } = options
    const { codecs: find = noCodec } = world
    const log = options.log === undefined ? undefined : logged(options.log)
    this.#metrics = options.metrics === undefined ? undefined : metricsIn(options.metrics)
    this.#metrics?.sources.add(this)
    const tell: Tell = (name, event) => {
      world.publish?.(name, event)
      this.#metrics?.take(name, event)
      log?.(name, event)
    }
    this.#ports = {
      net: world.net,
      clock: world.clock,
      rng: world.rng,
      onWaiting: what => {
        onWaiting?.(what)
        tell('waiting', { what })
      },
      codecs: name => codecs?.[name] ?? find(name),
      tell,
      tracing: options.tracing === false ? undefined : world.tracing
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

  /** A member of a queue group. @throws MillraceError CLOSED, INVALID_REQUEST. */
  queue<K = Uint8Array, V = Uint8Array> (options: QueueOptions<K, V>): Queue<K, V> {
    this.#check()
    const queue: Queue<K, V> = new Queue(this.#ports, this.#metadata, options, () => { this.#open.delete(queue) })
    this.#open.add(queue)
    return queue
  }

  /** Of all its producers: bytes accepted and not yet acknowledged. */
  get bufferedBytes (): number {
    return [...this.#open].reduce((sum, each) => sum + (each.bufferedBytes ?? 0), 0)
  }

  /** Of all its consumers: records between their position and the end, as far as it is known. */
  lags (): Lag[] {
    return [...this.#open].flatMap(each => each.lags?.() ?? [])
  }

  /** What topics, brokers and groups there are, and what groups have committed. */
  admin (): Admin {
    this.#check()
    return new Admin(this.#ports, this.#metadata)
  }

  #check (): void {
    if (this.#closed) throw errorOf('CLOSED', 'the client is closed')
  }

  /**
   * Closes its producers (after sending what they accepted) and consumers (after a last commit), then the
   * connections. Resolves with what producers lost; rejects when a last commit failed.
   */
  async close (options: CloseOptions = {}): Promise<readonly LostRecords[]> {
    if (this.#closed) return []
    this.#closed = true
    try {
      const lost = await Promise.all([...this.#open].map(each => each.close(options)))
      return lost.flatMap(each => each ?? [])
    } finally {
      this.#metrics?.sources.delete(this)
      this.#metadata.close()
      await this.#ports.net.close()
    }
  }

  /** For `await using`: close. */
  async [Symbol.asyncDispose] (): Promise<void> {
    await this.close()
  }
}
