// Where the partitions of a run shall lie some time after healing (../check/placement.ts).
import type { SimCluster } from './cluster.ts'
import { fairShare, findMisplaced, heldBy } from '../check/placement.ts'
import type { RowObserver } from './row-observer.ts'
import type { Topics } from './topics.ts'

export class Settled {
  readonly #cluster: SimCluster
  readonly #topics: Topics
  readonly #rows: RowObserver

  constructor (cluster: SimCluster, topics: Topics, rows: RowObserver) {
    this.#cluster = cluster
    this.#topics = topics
    this.#rows = rows
  }

  /** The first thing that is not as it shall be; empty when all is. */
  wrong (): string {
    const wanted = new Map(this.#topics.all.flatMap((topic) =>
      this.#topics.partitions([topic]).map(({ id }) => [id, topic])))
    const partitions = [...this.#rows.latest].map(([key, row]) => ({
      ...row, key, wanted: wanted.get(key), isChosen: this.#rows.elected.get(key)?.has(row.leader) === true
    }))
    const missing = [...wanted.keys()].find((key) => !this.#rows.latest.has(key))
    if (missing !== undefined) return `${missing} is in no table`
    return findMisplaced(partitions, this.#cluster.brokers.map(({ id, rack }) => ({ brokerId: id, rack })))
  }

  /** A broker that was not there at first has what it is to have. */
  hasShared (brokersAtFirst: number): boolean {
    const rows = [...this.#rows.latest.values()]
    const { brokers } = this.#cluster
    const { share, least } = fairShare(rows, brokers.length)
    return share > 0 && brokers.some(({ id }) => id >= brokersAtFirst && heldBy(id, rows) >= least)
  }
}
