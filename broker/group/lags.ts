// How far behind groups are: what their coordinator knows of them, beside what the partitions' leaders know of
// the ends. Asked for now and then, for metrics alone; a leader that does not answer leaves its partitions out.
import { WireError } from '../../wire/errors.ts'
import type { Clock, Net, Timer } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import type { Partitions } from '../partition/contract.ts'
import type { ClusterView } from '../session/contract.ts'
import type { PartitionName } from './records.ts'
import { placeOf } from './records.ts'
import type { Group } from './group.ts'

export interface GroupLag {
  readonly group: string
  readonly topic: string
  /** Records that the group has not committed, over the partitions of which it has committed some. */
  readonly records: number
}

export interface LagPorts {
  readonly clock: Clock
  readonly net: Net
  readonly partitions: Partitions
  readonly view: ClusterView
}

export class GroupLags {
  readonly #ports: LagPorts
  readonly #groups: () => Iterable<Group>
  #lags: readonly GroupLag[] = []
  #timer: Timer | undefined
  #closed = false

  /** @param groups that are coordinated here */
  constructor (ports: LagPorts, groups: () => Iterable<Group>) {
    this.#ports = ports
    this.#groups = groups
    this.#later()
  }

  /** As last looked at, limits.groupLagSeriesMax at most. */
  get all (): readonly GroupLag[] { return this.#lags }

  close (): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #later (): void {
    this.#timer = this.#ports.clock.setTimer(limits.groupLagMs, () => {
      void this.#look().finally(() => { if (!this.#closed) this.#later() })
    })
  }

  async #look (): Promise<void> {
    const groups = [...this.#groups()]
    const ends = await this.#ends(new Set(groups.flatMap(group => [...group.offsets.keys()])))
    const lags: GroupLag[] = []
    for (const group of groups) {
      const topics = new Map<string, number>()
      for (const [name, { topic, offset }] of group.offsets) {
        const end = ends.get(name)
        if (end === undefined) continue
        const window = group.windows.get(name)
        // What a queue has finished behind a record that it has not is not behind.
        const behind = window === undefined ? end - offset : end - window.end + window.entries.size
        topics.set(topic, (topics.get(topic) ?? 0) + Math.max(0, behind))
      }
      for (const [topic, records] of topics) lags.push({ group: group.name, topic, records })
    }
    this.#lags = lags.slice(0, limits.groupLagSeriesMax)
  }

  async #ends (names: ReadonlySet<PartitionName>): Promise<Map<PartitionName, number>> {
    const { view, net, partitions } = this.#ports
    const ends = new Map<PartitionName, number>()
    const elsewhere = new Map<string, { readonly name: PartitionName, readonly topic: string, partition: number }[]>()
    for (const name of names) {
      const { topicId, partition } = placeOf(name)
      const topic = view.topicById(topicId)?.name
      if (topic === undefined) continue
      try {
        ends.set(name, partitions.latest({ topic, topicId, partition }).offset)
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        const address = view.broker(view.row(topicId, partition)?.leader ?? -1)?.clientAddress
        if (address === undefined) continue
        const list = elsewhere.get(address) ?? []
        if (list.length < limits.offsetsPerRequestMax) list.push({ name, topic, partition })
        elsewhere.set(address, list)
      }
    }
    await Promise.all([...elsewhere].map(async ([address, asked]) => {
      const queries = asked.map(({ topic, partition }) =>
        ({ topic, partition, target: 'OFFSET_TARGET_LATEST' as const, timestamp: 0 }))
      try {
        const { results } = await net.call(address, 'ListOffsets', { queries }, limits.groupLagMs)
        for (const [index, { name }] of asked.entries()) {
          const result = results[index]
          if (result !== undefined && result.error === undefined) ends.set(name, result.offset)
        }
      } catch (error) {
        // Until the next look it is not known.
        if (!(error instanceof WireError)) throw error
      }
    }))
    return ends
  }
}

