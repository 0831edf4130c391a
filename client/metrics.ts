// A client's metrics in the application's own registry of prom-client, which this library does not depend on: a
// registry asks each metric for its values, and that is all that it must know of one.
import type { TopicPartition } from './consumer-options.ts'
import type { ClientEventName, ClientEvents, Tell } from './events.ts'

/** What is needed of prom-client's Registry. */
export interface MetricsRegistry {
  /** As prom-client has it. */
  registerMetric (metric: never): void
}

type Labels = Readonly<Record<string, string | number>>

interface Sample {
  readonly labels: Labels
  readonly value: number
  readonly metricName?: string
}

interface Told {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly aggregator: 'sum'
}

/** Values by labels, as they were added up. */
class Sums<T> {
  readonly #values = new Map<string, { readonly labels: Labels, readonly value: T }>()
  readonly #first: () => T

  constructor (first: () => T) {
    this.#first = first
  }

  at (labels: Labels): { value: T } {
    const key = JSON.stringify(labels)
    let entry = this.#values.get(key)
    if (entry === undefined) {
      entry = { labels, value: this.#first() }
      this.#values.set(key, entry)
    }
    return entry
  }

  all (): IterableIterator<{ readonly labels: Labels, readonly value: T }> { return this.#values.values() }
  clear (): void { this.#values.clear() }
}

class Counter {
  readonly told: Told
  readonly #sums = new Sums(() => 0)

  constructor (name: string, help: string) {
    this.told = { name, help, type: 'counter', aggregator: 'sum' }
  }

  add (labels: Labels, by: number): void {
    this.#sums.at(labels).value += by
  }

  samples (): Sample[] { return [...this.#sums.all()] }
  reset (): void { this.#sums.clear() }
}

/** Seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

class Histogram {
  readonly told: Told
  readonly #sums = new Sums(() => ({ counts: BUCKETS.map(() => 0), count: 0, sum: 0 }))

  constructor (name: string, help: string) {
    this.told = { name, help, type: 'histogram', aggregator: 'sum' }
  }

  observe (labels: Labels, seconds: number): void {
    const { value } = this.#sums.at(labels)
    value.count++
    value.sum += seconds
    const bucket = BUCKETS.findIndex(most => seconds <= most)
    if (bucket >= 0) value.counts[bucket]!++
  }

  samples (): Sample[] {
    const { name } = this.told
    return [...this.#sums.all()].flatMap(({ labels, value: { counts, count, sum } }) => {
      let below = 0
      return [
        ...BUCKETS.map((le, index) =>
          ({ labels: { ...labels, le }, value: below += counts[index]!, metricName: `${name}_bucket` })),
        { labels: { ...labels, le: '+Inf' }, value: count, metricName: `${name}_bucket` },
        { labels, value: sum, metricName: `${name}_sum` },
        { labels, value: count, metricName: `${name}_count` }
      ]
    })
  }

  reset (): void { this.#sums.clear() }
}

/** Where a gauge's values come from when somebody looks. */
export interface Gauged {
  /** Bytes accepted and not yet acknowledged; undefined for a consumer. */
  readonly bufferedBytes?: number | undefined
  /** Records behind the end, by partition; undefined for a producer. */
  lags?(): Lag[]
}

/** How far a consumer is behind the end of a partition, in records. */
export interface Lag extends TopicPartition {
  /** Undefined: a consumer without a group. */
  readonly group: string | undefined
  readonly lag: number
}

export class ClientMetrics {
  readonly sources = new Set<Gauged>()
  readonly #sent = new Counter('millrace_client_sent_records_total', 'Records acknowledged, by topic')
  readonly #sentBytes = new Counter('millrace_client_sent_bytes_total', 'Bytes of acknowledged batches, by topic')
  readonly #failed = new Counter('millrace_client_failed_records_total', 'Records given up, by topic and code')
  readonly #retries = new Counter('millrace_client_retried_batches_total', 'Batches sent again, by topic')
  readonly #sendSeconds = new Histogram('millrace_client_send_seconds',
    'From the first record of a batch to its acknowledgement, by topic')
  readonly #received = new Counter('millrace_client_received_records_total', 'Records that came, by topic')
  readonly #receivedBytes = new Counter('millrace_client_received_bytes_total', 'Bytes of records that came, by topic')
  readonly #processSeconds = new Histogram('millrace_client_process_seconds',
    'How long handlers of records took, by topic and outcome')
  readonly #commits = new Counter('millrace_client_commits_total', 'Commits, by group and outcome')

  constructor (registry: MetricsRegistry) {
    const all = [this.#sent, this.#sentBytes, this.#failed, this.#retries, this.#sendSeconds, this.#received,
      this.#receivedBytes, this.#processSeconds, this.#commits]
    for (const metric of all) register(registry, metric.told, () => metric.samples(), () => { metric.reset() })
    register(registry, {
      name: 'millrace_client_buffered_bytes', help: 'Accepted and not yet acknowledged', type: 'gauge',
      aggregator: 'sum'
    }, () => [{ labels: {}, value: [...this.sources].reduce((sum, each) => sum + (each.bufferedBytes ?? 0), 0) }])
    register(registry, {
      name: 'millrace_client_lag', help: 'Records behind the end, by group, topic and partition', type: 'gauge',
      aggregator: 'sum'
    }, () => [...this.sources].flatMap(each => each.lags?.() ?? [])
      .map(({ group = '', topic, partition, lag }) => ({ labels: { group, topic, partition }, value: lag })))
  }

  readonly take: Tell = <N extends ClientEventName>(name: N, event: ClientEvents[N]) => {
    const told = { name, event } as { [M in ClientEventName]: { name: M, event: ClientEvents[M] } }[ClientEventName]
    switch (told.name) {
      case 'batch.delivered':
        this.#delivered(told.event)
        return
      case 'records.received': {
        const { topic, records, bytes } = told.event
        this.#received.add({ topic }, records)
        this.#receivedBytes.add({ topic }, bytes)
        return
      }
      case 'record.processed': {
        const { topic, durationMs, error } = told.event
        this.#processSeconds.observe({ topic, outcome: error === undefined ? 'ok' : 'error' }, durationMs / 1_000)
        return
      }
      case 'offsets.committed': {
        const { group, error } = told.event
        this.#commits.add({ group, outcome: error?.code ?? 'ok' }, 1)
        return
      }
      default:
    }
  }

  #delivered ({ topic, records, bytes, attempts, durationMs, error }: ClientEvents['batch.delivered']): void {
    if (attempts > 1) this.#retries.add({ topic }, attempts - 1)
    if (error !== undefined) {
      this.#failed.add({ topic, code: error.code }, records)
      return
    }
    this.#sent.add({ topic }, records)
    this.#sentBytes.add({ topic }, bytes)
    this.#sendSeconds.observe({ topic }, durationMs / 1_000)
  }
}

/** A metric as a registry of prom-client wants it. */
function register (registry: MetricsRegistry, told: Told, samples: () => Sample[], reset = (): void => {}): void {
  const metric = { ...told, get: () => Promise.resolve({ ...told, values: samples() }), reset }
  registry.registerMetric(metric as never)
}

const byRegistry = new WeakMap<MetricsRegistry, ClientMetrics>()

/** Clients that share a registry share the metrics in it. */
export function metricsIn (registry: MetricsRegistry): ClientMetrics {
  let metrics = byRegistry.get(registry)
  if (metrics === undefined) {
    metrics = new ClientMetrics(registry)
    byRegistry.set(registry, metrics)
  }
  return metrics
}
