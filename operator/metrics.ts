// Every metric of the operator, registered in one place. docs/metrics.md lists them.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface OperatorMetrics {
  readonly registry: Registry
  readonly reconciles: Counter<'kind' | 'result'>
  readonly reconcileSeconds: Histogram<'kind'>
  readonly writes: Counter<'verb' | 'kind'>
  readonly requests: Counter
  readonly errors: Counter
}

/** Read when metrics are scraped. */
export interface Readings {
  queueDepth (): Readonly<Record<string, number>>
  watchSilenceSeconds (): Readonly<Record<string, number>>
  watchRestarts (): Readonly<Record<string, number>>
  objects (): Readonly<Record<string, number>>
  isLeader (): boolean
}

/** @param version of this program */
export function operatorMetrics (version: string, readings: Readings): OperatorMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'millrace_build_info',
    help: '1; the version of the program is a label.',
    labelNames: ['version'],
    registers: [registry]
  }).set({ version }, 1)
  registerReadings(registry, readings)
  const registers = [registry]
  const reconciles = new Counter({
    name: 'millrace_operator_reconciles_total',
    help: 'Reconciliations by kind and result: done, later, failed.',
    labelNames: ['kind', 'result'],
    registers
  })
  // There from the first scrape, so that the first failure is an increase.
  for (const kind of ['Cluster', 'Topic']) {
    for (const result of ['done', 'later', 'failed']) reconciles.inc({ kind, result }, 0)
  }
  return {
    registry,
    reconciles,
    reconcileSeconds: new Histogram({
      name: 'millrace_operator_reconcile_seconds',
      help: 'How long one reconciliation took.',
      labelNames: ['kind'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
      registers
    }),
    writes: new Counter({
      name: 'millrace_operator_writes_total',
      help: 'Writes to the Kubernetes API by verb and kind; none while everything is as wished.',
      labelNames: ['verb', 'kind'],
      registers
    }),
    requests: new Counter({
      name: 'millrace_kubernetes_requests_total',
      help: 'Requests to the Kubernetes API.',
      registers
    }),
    errors: new Counter({
      name: 'millrace_kubernetes_errors_total',
      help: 'Requests to the Kubernetes API that failed; conflicts, and objects that are not there, are none.',
      registers
    })
  }
}

function registerReadings (registry: Registry, readings: Readings): void {
  const registers = [registry]
  const gauge = (name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): Gauge =>
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers,
      collect () { for (const [value, number] of Object.entries(read())) this.set({ [label]: value }, number) }
    })
  gauge('millrace_operator_queue_depth', 'Objects that wait to be reconciled.', 'kind', () => readings.queueDepth())
  gauge('millrace_operator_objects', 'Objects in the local copies.', 'kind', () => readings.objects())
  gauge('millrace_operator_watch_silence_seconds', 'Seconds since the last list, event or bookmark.', 'kind',
    () => readings.watchSilenceSeconds())
  new Counter({
    name: 'millrace_operator_watch_restarts_total',
    help: 'How often a list or watch failed and was begun again.',
    labelNames: ['kind'],
    registers,
    collect () {
      this.reset()
      for (const [kind, restarts] of Object.entries(readings.watchRestarts())) this.inc({ kind }, restarts)
    }
  })
  new Gauge({
    name: 'millrace_operator_leader',
    help: '1 while this process holds the Lease.',
    registers,
    collect () { this.set(readings.isLeader() ? 1 : 0) }
  })
}
