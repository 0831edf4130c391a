// What a run says of where partitions lie, and of how they came there: each wrong way has a story of its own.
import { beforeEach, describe, expect, it } from 'vitest'
import { encodeTable } from '../../../broker/controller/table-codec.ts'
import type { PartitionRow } from '../../../broker/row.ts'
import type { KubeApi, KubeObject, WatchEvent } from '../../../local/kube/api.ts'
import { broker, id, row, table, topic, topicId } from '../../broker/controller/make.ts'
import { lacksShare, misplacedIn, PlacementWatch } from './placement.ts'

const key = 'orders-0'

/** The API as far as it is looked at: one table with one partition, the StatefulSet and the Cluster. */
class FakeApi {
  #table = this.#tableOf([0, 1, 2], {}, 3)
  readonly #watchers = new Map<string, (event: WatchEvent) => void>()
  brokers = 3
  readonly wish = { replicas: 3, minInSync: 2 }

  list (): KubeObject[] { return [this.#table] }
  get (resource: string): KubeObject {
    const spec = resource.startsWith('clusters') ? { brokers: this.brokers } : this.wish
    return { apiVersion: 'v1', kind: 'Any', metadata: { name: 'any' }, spec }
  }

  watch (resource: string, onEvent: (event: WatchEvent) => void): () => void {
    this.#watchers.set(resource, onEvent)
    return () => {}
  }

  #tell (resource: string, changed: object): void {
    const object = { apiVersion: 'v1', kind: 'Any', metadata: { name: 'any' }, ...changed }
    this.#watchers.get(resource)?.({ type: 'MODIFIED', object })
  }

  #version = 0

  #tableOf (replicas: number[], changes: Partial<PartitionRow>, brokers: number): KubeObject {
    return encodeTable(table({
      brokers: new Map(Array.from({ length: brokers }, (_, id) => [id, broker(id)])),
      topics: new Map([[topicId, topic({ name: 'orders', partitions: 1 })]]),
      rows: new Map([[topicId, [row({ replicas, leader: replicas[0]!, inSync: replicas.map(each => id(each, 1)),
        ...changes })]]])
    })) as unknown as KubeObject
  }

  /** A new row is stored. */
  stores (replicas: number[], changes: Partial<PartitionRow> = {}, brokers = 3): void {
    this.#table = this.#tableOf(replicas, { version: ++this.#version + 1, ...changes }, brokers)
    this.#watchers.get('partitiontables.millrace.dev')?.({ type: 'MODIFIED', object: this.#table })
  }

  sized (replicas: number): void { this.#tell('statefulsets.apps', { spec: { replicas } }) }
  draining (...ids: number[]): void {
    this.#tell('clusters.millrace.dev', { status: { draining: ids.map(broker => ({ broker })) } })
  }
}

let api: FakeApi
let watch: PlacementWatch
beforeEach(() => {
  api = new FakeApi()
  watch = new PlacementWatch(api as unknown as KubeApi)
  watch.begin()
  api.stores([0, 1, 2])
})

const misplaced = (brokers: number): string => misplacedIn(api as unknown as KubeApi, brokers)

describe('partitions', () => {
  it('lie as the Topic says, on brokers that are there, led by the first', () => {
    expect(misplaced(3)).toBe('')
    api.stores([0, 1, 2], { leader: 1 })
    expect(misplaced(3)).toBe('orders-0 is led by 1, its replicas are 0,1,2')
    api.stores([0, 1])
    expect(misplaced(3)).toBe('orders-0 has the replicas 0,1, and is to have 3')
    api.stores([0, 1, 2], {}, 4)
    expect(misplaced(3)).toBe('broker 3 is not forgotten, 3 are wanted')
    expect(lacksShare(api as unknown as KubeApi, 3)).toBe('broker 3 has 0 replicas, its share are 0')
  })
})

describe('a move', () => {
  const notMoved = (mark: number): string => watch.notMoved(key, [2, 1, 0], mark)

  it('has been where it was asked to go, wherever it is now', () => {
    const mark = watch.mark(key)
    api.stores([2, 1, 0])
    api.stores([1, 2, 0])
    expect(notMoved(mark)).toBe('')
    expect(watch.notMoved(key, [1, 2, 0], watch.mark(key))).toBe('')
  })

  it('that no table knows of was none', () => {
    const mark = watch.mark(key)
    api.stores([0, 1, 2], { leader: 1 })
    expect(notMoved(mark)).toBe('orders-0 was to move to 2,1,0, and no table ever said so')
  })

  it('is over when all is whole', () => {
    const mark = watch.mark(key)
    api.stores([2, 1, 0, 4], { adding: [2], removing: [4] })
    expect(notMoved(mark)).toBe('orders-0 was to move to 2,1,0, and has not arrived: 2,1,0,4')
  })

  it('gives way to another that was asked for, to another number of replicas, to a drain, and to nothing else', () => {
    const begun = (): number => {
      const mark = watch.mark(key)
      api.stores([2, 1, 0, 4], { adding: [2], removing: [4] })
      return mark
    }
    let mark = begun()
    api.stores([1, 0, 4])
    expect(notMoved(mark)).toBe('orders-0 was to move to 2,1,0, and without a reason went to 1,0,4')
    watch.asked(key, [1, 0, 4])
    expect(notMoved(mark)).toBe('')
    mark = begun()
    api.stores([2, 1])
    expect(notMoved(mark)).toBe('')
    mark = begun()
    api.brokers = 2
    api.stores([3, 1, 0])
    expect(notMoved(mark)).toBe('')
  })
})

describe('a broker that is taken away', () => {
  it('held nothing, and was shown as draining', () => {
    api.sized(4)
    api.draining(3)
    api.sized(3)
    expect(watch.failures).toEqual([])
  })

  it('is told of otherwise', () => {
    api.sized(3)
    api.sized(2)
    expect(watch.failures).toEqual(['broker 2 was taken away with orders-0 on it',
      'broker 2 was taken away, and no status of the Cluster showed that it was drained'])
  })
})

it('somebody led a partition after a moment, or did not', () => {
  const mark = watch.mark(key)
  expect(watch.wasLedBy(key, 0, mark)).toBe(false)
  api.stores([0, 1, 2], { leader: 1 })
  expect([watch.wasLedBy(key, 1, mark), watch.wasLedBy(key, 2, mark)]).toEqual([true, false])
})
