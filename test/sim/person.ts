// Who recovers partitions whose whole in-sync set is lost (docs/operations/): knows which volumes are gone for good,
// takes a while to see it, and names those brokers as lost, no others.
import { identityText } from '../../broker/row.ts'
import type { PartitionRow } from '../../broker/row.ts'
import type { FaultWorld } from './faults/world.ts'

const lookMs = 500
/** What the lost ones had sent has arrived by then, or never will. */
const sureAfterMs = 2_500
/** Brokers that are away may hold more than those that are there: for so long they are waited for. */
const patienceMs = 8_000

type Parts = Pick<FaultWorld, 'cluster' | 'operator' | 'topics' | 'rows'>

export class Person {
  readonly #parts: Parts
  /** Since when it is lost, by partition and set. */
  readonly #since = new Map<string, number>()
  #asks = false

  constructor (parts: Parts) { this.#parts = parts }

  begin (): void {
    const { cluster: { scheduler } } = this.#parts
    scheduler.schedule(lookMs, undefined, 'person', () => {
      this.#look()
      this.begin()
    })
  }

  /** Rows of expendable topics that name only members which nobody has any more. */
  lost (): PartitionRow[] {
    const { cluster, rows, topics } = this.#parts
    const ids = topics.all.filter(({ expendable }) => expendable === true).map(({ name }) => topics.idOf(name))
    return [...rows.latest.values()].filter(({ topicId, inSync }) => ids.includes(topicId) &&
      inSync.every(({ brokerId, volumeId }) => cluster.brokers[brokerId]?.volumesLost.has(volumeId) === true))
  }

  #look (): void {
    const { cluster, operator, topics, rows } = this.#parts
    const { scheduler } = cluster
    for (const { topicId, partition, inSync, replicas } of this.lost()) {
      const key = `${topicId}-${partition}`
      const id = `${key} ${inSync.map(identityText).join()}`
      const sinceMs = this.#since.get(id) ?? scheduler.now
      this.#since.set(id, sinceMs)
      const areAllThere = replicas.every((id) => cluster.brokers[id]?.node?.notReady() === '')
      if (this.#asks || scheduler.now - sinceMs < (areAllThere ? sureAfterMs : patienceMs)) continue
      const lost = [...new Set(inSync.map(({ brokerId }) => brokerId))]
      rows.ordered.set(key, lost)
      this.#asks = true
      const topic = topics.nameOf(topicId)
      operator.recover({ topic, partition, lost, survivor: -1, acceptDataLoss: true }, () => { this.#asks = false })
    }
  }
}
