// Every metric of the operator, registered in one place. docs/metrics.md lists them.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface OperatorMetrics {
  readonly registry: Registry
  readonly reconciles: Counter<'kind' | 'result'>
  readonly reconcileSeconds: Histogram<'kind'>
  readonly writes: Counter<'verb' | 'kind'>
}

/** Read when metrics are scraped. */
export interface Readings {
  queueDepth (): Readonly<Record<string, number>>
  watchSilenceSeconds (): Readonly<Record<string, number>>
  watchRestarts (): Readonly<Record<string, number>>
  objects (): Readonly<Record<string, number>>
  isLeader (): boolean
}

export function operatorMetrics (readings: Readings): OperatorMetrics {
  const registry = new Registry()
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
  gauge('millrace_operator_watch_restarts', 'How often a list or watch failed and was begun again.', 'kind',
    () => readings.watchRestarts())
  new Gauge({
    name: 'millrace_operator_leader',
    help: '1 while this process holds the Lease.',
    registers,
    collect () { this.set(readings.isLeader() ? 1 : 0) }
  })
  return {
    registry,
    reconciles: new Counter({
      name: 'millrace_operator_reconciles_total',
      help: 'Reconciliations by kind and result: done, later, failed.',
      labelNames: ['kind', 'result'],
      registers
    }),
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
    })
  }
}
