// Queue groups, as the histories of their workers and the dead-letter topic tell: what was finished is not delivered
// again, what was not finished is not lost, deliveries are counted, a record has one holder, keys are in order.
import type { Anomaly } from './anomaly.ts'
import type { DeadLetterOperation, DeliveryOperation, Key, Operation } from './history.ts'

export interface QueueRules {
  readonly group: string
  /** 0: no end. */
  readonly deliveriesMax: number
  readonly hasDeadLetters: boolean
  readonly isOrdered: boolean
  /** Where each partition ended when all workers had done their work: everything below is finished. */
  readonly ends?: ReadonlyMap<Key, number>
  /** Retention: offsets below this may be gone. Default: none are. */
  readonly removedBelow?: (key: Key) => number
  /** From here on nobody dies, stands still, or is cut off. Default: somebody may at any time. */
  readonly calmFromMs?: number
}

export interface QueueReport {
  readonly anomalies: Anomaly[]
  readonly deliveries: number
  readonly redeliveries: number
  readonly acknowledged: number
  readonly rejected: number
  readonly deadLetters: number
  /** Settlements that were refused because the record was another's. */
  readonly lost: number
}

interface QueuedRecord {
  readonly offset: number
  readonly recordKey: string
  /** In the order in which they began. */
  readonly deliveries: DeliveryOperation[]
  readonly deadLetters: DeadLetterOperation[]
}

type Records = Map<number, QueuedRecord>

/** Linear in the length of the history but for records that are delivered many times. */
export function checkQueues (history: readonly Operation[], rules: QueueRules): QueueReport {
  const places = placesOf(history, rules.group)
  const anomalies: Anomaly[] = []
  for (const [key, records] of places) {
    const add: Add = (kind, message) => {
      anomalies.push({ kind, key: `${rules.group}/${key}`, message })
    }
    const removedBelow = rules.removedBelow?.(key) ?? 0
    for (const record of records.values()) new RecordCheck(record, rules, removedBelow, add).run()
    if (rules.isOrdered) findDisorder(records, removedBelow, add)
  }
  for (const [key, end] of rules.ends ?? []) findLost(rules, key, end, places.get(key), anomalies)
  const all = [...places.values()].flatMap(records => [...records.values()])
  const deliveries = all.flatMap(record => record.deliveries)
  const count = (fits: (delivery: DeliveryOperation) => boolean): number => deliveries.filter(fits).length
  return {
    anomalies, deliveries: deliveries.length, redeliveries: count(each => each.deliveries > 1),
    acknowledged: count(each => each.settlement === 'acknowledged' && each.outcome === 'ok'),
    rejected: count(each => each.settlement === 'rejected' && each.outcome === 'ok'),
    deadLetters: all.filter(({ deadLetters }) => deadLetters.length > 0).length,
    lost: count(each => each.settlement !== undefined && each.outcome === 'failed')
  }
}

function placesOf (history: readonly Operation[], group: string): Map<Key, Records> {
  const places = new Map<Key, Records>()
  for (const operation of history) {
    if ((operation.kind !== 'delivery' && operation.kind !== 'dead letter') || operation.group !== group) continue
    const { key, offset } = operation
    const records = places.get(key) ?? new Map<number, QueuedRecord>()
    places.set(key, records)
    const recordKey = operation.kind === 'delivery' ? operation.recordKey : ''
    const record = records.get(offset) ?? { offset, recordKey, deliveries: [], deadLetters: [] }
    records.set(offset, record)
    if (operation.kind === 'delivery') record.deliveries.push(operation)
    else record.deadLetters.push(operation)
  }
  for (const records of places.values()) {
    for (const { deliveries } of records.values()) deliveries.sort((a, b) => a.startMs - b.startMs)
  }
  return places
}

/** It may have finished the record: it asked for that, and was not refused. */
function mayFinish ({ settlement, outcome }: DeliveryOperation): boolean {
  return (settlement === 'acknowledged' || settlement === 'rejected') && outcome !== 'failed'
}

function askedAtMs ({ settledAtMs }: DeliveryOperation): number { return settledAtMs ?? Infinity }

function describe ({ process, deliveries }: DeliveryOperation): string { return `${process} in delivery ${deliveries}` }

type Add = (kind: Anomaly['kind'], message: string) => void

class RecordCheck {
  readonly #record: QueuedRecord
  readonly #rules: QueueRules
  readonly #removedBelow: number
  readonly #add: Add

  constructor (record: QueuedRecord, rules: QueueRules, removedBelow: number, add: Add) {
    this.#record = record
    this.#rules = rules
    this.#removedBelow = removedBelow
    this.#add = add
  }

  run (): void {
    const { deliveries, deadLetters } = this.#record
    this.#findMiscounted()
    if (deliveries.length > 1 && this.#record.offset >= this.#removedBelow) {
      for (const delivery of deliveries) {
        if (delivery.settlement === undefined || delivery.outcome !== 'ok') continue
        if (delivery.settlement !== 'released') this.#findDeliveredWhenDone(delivery)
        this.#findStale(delivery)
      }
    }
    if (this.#rules.calmFromMs !== undefined) this.#findTwoLeases(this.#rules.calmFromMs)
    for (const deadLetter of deadLetters) this.#judge(deadLetter)
  }

  /** Every take that a worker has seen raised the count, whoever coordinated. */
  #findMiscounted (): void {
    const { offset, deliveries } = this.#record
    const { deliveriesMax, hasDeadLetters } = this.#rules
    const seen = new Map<number, DeliveryOperation>()
    for (const delivery of deliveries) {
      const { deliveries: count, process } = delivery
      const other = seen.get(count)
      if (other !== undefined) {
        this.#add('delivery miscounted',
          `offset ${offset}: ${process} and ${other.process} both got delivery ${count}`)
      }
      seen.set(count, delivery)
      if (hasDeadLetters && deliveriesMax > 0 && count > deliveriesMax) {
        this.#add('delivery miscounted', `offset ${offset}: ${process} got delivery ${count} of ${deliveriesMax}`)
      }
    }
  }

  /** Others that were asked for before this moment, and may have finished the record; its dead letters count always. */
  #finishers (before: number, except?: DeliveryOperation): { readonly deliveries: number }[] {
    const { deliveries, deadLetters } = this.#record
    return [
      ...deliveries.filter(each => each !== except && mayFinish(each) && askedAtMs(each) <= before), ...deadLetters
    ]
  }

  /** A later delivery that began after the answer. Earlier ones: of who has not heard that it is lost. */
  #findDeliveredWhenDone (done: DeliveryOperation): void {
    const { offset, deliveries } = this.#record
    // It may have been finished by somebody who got it later: then it is the same to say so once more.
    const last = Math.max(done.deliveries, ...this.#finishers(done.endMs).map(each => each.deliveries))
    for (const delivery of deliveries) {
      if (delivery.startMs <= done.endMs || delivery.deliveries <= last) continue
      this.#add('delivered when done',
        `offset ${offset}: ${done.settlement} by ${describe(done)}; then given to ${describe(delivery)}`)
      return
    }
  }

  /** Asked for when a later delivery had begun, it may count only if the record was finished. */
  #findStale (settled: DeliveryOperation): void {
    const { offset, deliveries } = this.#record
    const later = deliveries.find(each => each.deliveries > settled.deliveries && each.startMs < askedAtMs(settled))
    if (later === undefined || this.#finishers(settled.endMs, settled).length > 0) return
    this.#add('stale settlement',
      `offset ${offset}: ${settled.settlement} by ${describe(settled)}, when ${describe(later)} had it`)
  }

  #findTwoLeases (calmFromMs: number): void {
    const { offset, deliveries } = this.#record
    for (const [index, delivery] of deliveries.entries()) {
      const before = deliveries[index - 1]
      if (before === undefined || before.startMs < calmFromMs || askedAtMs(before) <= delivery.startMs) continue
      this.#add('two leases', `offset ${offset}: ${describe(delivery)} got it while ${describe(before)} had it`)
    }
  }

  #judge ({ offset, cause, deliveries: count }: DeadLetterOperation): void {
    const { deliveriesMax } = this.#rules
    const isDue = cause === 'rejected'
      ? this.#record.deliveries.some(({ settlement }) => settlement === 'rejected')
      : deliveriesMax > 0 && count >= deliveriesMax
    if (isDue) return
    this.#add('unfounded dead letter', `offset ${offset}: for '${cause}', after ${count} deliveries`)
  }
}

/** When it may have been finished at the soonest, as far as workers know. */
function finishedAtMs ({ deliveries, deadLetters }: QueuedRecord): number {
  const times = deliveries.filter(each => mayFinish(each)).map(each => askedAtMs(each))
  // Who wrote the dead letter is not known; it was given to somebody before that, or rejected.
  if (deadLetters.length > 0) times.push(...deliveries.map(({ startMs }) => startMs))
  return deadLetters.length > 0 && deliveries.length === 0 ? -Infinity : Math.min(Infinity, ...times)
}

function findDisorder (records: Records, removedBelow: number, add: Add): void {
  /** By key: of the records so far the one that was finished last. */
  const latest = new Map<string, { readonly offset: number, readonly atMs: number }>()
  for (const record of [...records.values()].sort((a, b) => a.offset - b.offset)) {
    const { offset, recordKey, deliveries } = record
    if (recordKey === '' || offset < removedBelow) continue
    const before = latest.get(recordKey)
    for (const delivery of deliveries) {
      if (before === undefined || delivery.startMs >= before.atMs) continue
      add('key disorder', `offset ${offset} of key ${recordKey}: given to ${describe(delivery)} before ` +
        `offset ${before.offset} was finished`)
      break
    }
    const atMs = finishedAtMs(record)
    if (before === undefined || atMs > before.atMs) latest.set(recordKey, { offset, atMs })
  }
}

function findLost (rules: QueueRules, key: Key, end: number, records: Records | undefined, found: Anomaly[]): void {
  for (let offset = rules.removedBelow?.(key) ?? 0; offset < end; offset++) {
    const { deliveries, deadLetters } = records?.get(offset) ?? { deliveries: [], deadLetters: [] }
    const isFinished = deadLetters.length > 0 || deliveries.some(each =>
      mayFinish(each) && (each.settlement === 'acknowledged' || !rules.hasDeadLetters))
    if (isFinished) continue
    const rejected = deliveries.find(({ settlement }) => settlement === 'rejected')
    const why = rejected === undefined ? 'nobody has finished it'
      : `it was rejected by ${describe(rejected)}, and is no dead letter`
    found.push({ kind: 'lost record', key: `${rules.group}/${key}`, message: `offset ${offset}: ${why}` })
  }
}
