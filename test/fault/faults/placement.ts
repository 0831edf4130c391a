// Where partitions shall lie when nothing strikes any more (../../check/placement.ts), and what happened on the way:
// every row that was ever stored, and whether a broker was taken away that still held something.
import { isMoving, targetOf } from '../../../broker/controller/moves.ts'
import type { PartitionRow } from '../../../broker/row.ts'
import type { KubeApi, KubeObject } from '../../../local/kube/api.ts'
import { clusterName } from '../../../local/manifests.ts'
import { fairShare, findMisplaced, heldBy } from '../../check/placement.ts'
import type { PlacedPartition } from '../../check/placement.ts'
import { placedRows, registeredBrokers, rowsOfTable } from './tables.ts'

const namespace = 'default'

interface Wish { readonly replicas: number, readonly minInSync: number }
interface Sized { readonly replicas?: number }
interface Draining { readonly draining?: readonly { readonly broker: number }[] }

/** Empty when everything lies as it shall; otherwise the first thing that does not. */
export function misplacedIn (api: Pick<KubeApi, 'list' | 'get'>, brokersWanted: number): string {
  const partitions = placedRows(api).map(({ key, topic, row }): PlacedPartition => {
    const wish = api.get('topics.millrace.dev', namespace, topic)?.spec as Wish | undefined
    return { ...row, key, wanted: wish }
  })
  const brokers = registeredBrokers(api)
  const surplus = brokers.find(({ brokerId }) => brokerId >= brokersWanted)
  if (surplus !== undefined) return `broker ${surplus.brokerId} is not forgotten, ${brokersWanted} are wanted`
  if (brokers.length < brokersWanted) return `only brokers ${brokers.map(({ brokerId }) => brokerId).join()} are known`
  return findMisplaced(partitions, brokers)
}

/** Empty when the broker has what it is to get when it is new. */
export function lacksShare (api: Pick<KubeApi, 'list'>, broker: number): string {
  const rows = placedRows(api).map(({ row }) => row)
  const { share, least } = fairShare(rows, registeredBrokers(api).length)
  const held = heldBy(broker, rows)
  return held >= Math.max(1, least) ? '' : `broker ${broker} has ${held} replicas, its share are ${share}`
}

/** Watches what no look from time to time would see for sure. */
export class PlacementWatch {
  /** What was wrong at some time. */
  readonly failures: string[] = []
  readonly #api: KubeApi
  readonly #rows = new Map<string, PartitionRow[]>()
  /** By partition: replicas that somebody has asked for. */
  readonly #asked = new Map<string, Set<string>>()
  /** Brokers that the Cluster's status has ever shown as draining. */
  readonly #shownDraining = new Set<number>()
  #ends: (() => void)[] = []
  #size = 0

  constructor (api: KubeApi) {
    this.#api = api
  }

  /** From now on. Benchmarks do without: it reads each table as it is written. */
  begin (): void {
    const api = this.#api
    this.#ends = [
      api.watch('partitiontables.millrace.dev', ({ type, object }) => { if (type !== 'DELETED') this.#note(object) }),
      api.watch('statefulsets.apps', ({ object }) => { this.#resized(object) }),
      api.watch('clusters.millrace.dev', ({ object }) => {
        const { draining = [] } = object.status as Draining | undefined ?? {}
        for (const { broker } of draining) this.#shownDraining.add(broker)
      })
    ]
  }

  close (): void { for (const end of this.#ends) end() }

  #note (table: KubeObject): void {
    for (const { key, row } of rowsOfTable(table)) {
      const rows = this.#rows.get(key) ?? []
      this.#rows.set(key, rows)
      const last = rows.at(-1)
      if (last?.version !== row.version || last.topicId !== row.topicId) rows.push(row)
    }
  }

  /** A smaller StatefulSet takes the last brokers away: nothing may be on them. */
  #resized ({ spec }: KubeObject): void {
    const { replicas = 0 } = spec as Sized
    const before = this.#size
    this.#size = replicas
    // One that was there before: what was told of that one counts no more.
    for (let broker = before; broker < replicas; broker++) this.#shownDraining.delete(broker)
    for (let broker = replicas; broker < before; broker++) {
      const left = placedRows(this.#api).filter(({ row }) => row.replicas.includes(broker) ||
        row.inSync.some(({ brokerId }) => brokerId === broker))
      if (left.length > 0) {
        this.failures.push(`broker ${broker} was taken away with ${left.map(({ key }) => key).join()} on it`)
      }
      if (!this.#shownDraining.delete(broker)) {
        this.failures.push(`broker ${broker} was taken away, and no status of the Cluster showed that it was drained`)
      }
    }
  }

  /** How many rows of the partition there have been: what comes after is later. */
  mark (key: string): number { return this.#rows.get(key)?.length ?? 0 }

  /** Did somebody lead the partition, after `mark`? */
  wasLedBy (key: string, leader: number, mark: number): boolean {
    return this.#since(key, mark).some(row => row.leader === leader)
  }

  /** Told before the partition is asked to move. */
  asked (key: string, target: readonly number[]): void {
    this.#asked.set(key, (this.#asked.get(key) ?? new Set()).add(target.join()))
  }

  /**
   * Empty when a move that was accepted after `mark` was completed, or something later took its place: another move,
   * another number of replicas, a drain of one of `target`. Asked when nothing moves any more.
   */
  notMoved (key: string, target: readonly number[], mark: number): string {
    const wanted = target.join()
    const rows = this.#since(key, mark)
    const begun = rows.findIndex(row => targetOf(row).join() === wanted)
    const shown = (row: PartitionRow | undefined): string => row?.replicas.join() ?? 'nobody'
    // Already there: the row stays as it is.
    if (begun < 0) {
      const now = this.#rows.get(key)?.[mark - 1]
      return now?.replicas.join() === wanted ? '' : `${key} was to move to ${wanted}, and no table ever said so`
    }
    const after = rows.slice(begun)
    if (after.some(row => !isMoving(row) && row.replicas.join() === wanted)) return ''
    const other = after.find(row => targetOf(row).join() !== wanted)
    if (other === undefined) return `${key} was to move to ${wanted}, and has not arrived: ${shown(after.at(-1))}`
    return this.#isMeant(key, target, targetOf(other)) ? ''
      : `${key} was to move to ${wanted}, and without a reason went to ${targetOf(other).join()}`
  }

  #since (key: string, mark: number): readonly PartitionRow[] { return this.#rows.get(key)?.slice(mark) ?? [] }

  #isMeant (key: string, target: readonly number[], next: readonly number[]): boolean {
    if (this.#asked.get(key)?.has(next.join()) === true || next.length !== target.length) return true
    const { brokers = 0 } = this.#api.get('clusters.millrace.dev', namespace, clusterName)?.spec as
      { brokers?: number } | undefined ?? {}
    // It was there for a while only.
    return target.some(id => id >= brokers && !next.includes(id))
  }
}
