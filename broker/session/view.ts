// What this broker knows of the cluster: pushes of the controller, and rows that peers sent. Rows never
// go back, whatever order they arrive in.
import type { BrokerInfo, PartitionRow, SessionResponse_Push, TopicInfo } from '../../wire/messages.ts'
import { isNewerRow, nobody } from '../row.ts'
import type { ClusterView } from './contract.ts'

export class View implements ClusterView {
  #controllerEpoch = 0
  #controller = nobody
  #controllerAddress = ''
  #loaded = false
  #brokers = new Map<number, BrokerInfo>()
  #topics = new Map<string, TopicInfo>()
  readonly #byName = new Map<string, TopicInfo>()
  readonly #rows = new Map<string, PartitionRow[]>()

  get controllerEpoch (): number { return this.#controllerEpoch }
  get controller (): number { return this.#controller }
  get controllerAddress (): string { return this.#controllerAddress }
  get loaded (): boolean { return this.#loaded }

  broker (brokerId: number): BrokerInfo | undefined {
    return this.#brokers.get(brokerId)
  }

  brokers (): readonly BrokerInfo[] {
    return [...this.#brokers.values()].sort((a, b) => a.brokerId - b.brokerId)
  }

  topicByName (name: string): TopicInfo | undefined {
    return this.#byName.get(name)
  }

  topicById (topicId: string): TopicInfo | undefined {
    return this.#topics.get(topicId)
  }

  topics (): readonly TopicInfo[] {
    return [...this.#topics.values()].sort((a, b) =>
      a.name < b.name ? -1 : a.name > b.name ? 1 : a.topicId < b.topicId ? -1 : 1)
  }

  row (topicId: string, partition: number): PartitionRow | undefined {
    return this.#rows.get(topicId)?.[partition]
  }

  rows (topicId: string): readonly PartitionRow[] {
    // A peer's row may have come before those of lower partitions.
    return (this.#rows.get(topicId) ?? []).filter(row => row !== undefined)
  }

  adoptRow (row: PartitionRow): void {
    const rows = this.#rows.get(row.topicId) ?? []
    if (!isNewerRow(row, rows[row.partition])) return
    rows[row.partition] = row
    this.#rows.set(row.topicId, rows)
  }

  /** Where the controller is; -1 and '' when none is known. */
  setController (controllerEpoch: number, controller: number, address: string): void {
    this.#controllerEpoch = Math.max(controllerEpoch, this.#controllerEpoch)
    this.#controller = controller
    this.#controllerAddress = address
  }

  /** A whole push; the caller has checked its controller epoch. */
  apply (push: SessionResponse_Push): void {
    this.#controllerEpoch = Math.max(push.controllerEpoch, this.#controllerEpoch)
    if (push.full) this.#replace(push)
    for (const broker of push.brokers) this.#brokers.set(broker.brokerId, broker)
    for (const topic of push.topics) this.#topics.set(topic.topicId, topic)
    for (const topicId of push.topicsRemoved) this.#forget(topicId)
    for (const row of push.rows) if (this.#topics.has(row.topicId)) this.adoptRow(row)
    if (push.topics.length > 0 || push.topicsRemoved.length > 0 || push.full) this.#index()
  }

  /** What a full push does not name is gone. */
  #replace (push: SessionResponse_Push): void {
    this.#loaded = true
    this.#brokers = new Map()
    const named = new Set(push.topics.map(topic => topic.topicId))
    for (const topicId of [...this.#topics.keys(), ...this.#rows.keys()]) if (!named.has(topicId)) this.#forget(topicId)
  }

  #forget (topicId: string): void {
    this.#topics.delete(topicId)
    this.#rows.delete(topicId)
  }

  /** A topic that is being deleted does not hide one of the same name that came after it. */
  #index (): void {
    this.#byName.clear()
    for (const topic of this.#topics.values()) {
      const other = this.#byName.get(topic.name)
      if (other === undefined || other.deleting) this.#byName.set(topic.name, topic)
    }
  }
}
