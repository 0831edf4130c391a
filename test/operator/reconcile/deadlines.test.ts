// What is waited for before data is deleted is not waited for without end.
import { beforeEach, describe, expect, it } from 'vitest'
import { WireError } from '../../../wire/errors.ts'
import type { KubeApi } from '../../../operator/kube/api.ts'
import type { Happening } from '../../../operator/kube/events.ts'
import type { KubeObject } from '../../../operator/kube/types.ts'
import { deleteCluster } from '../../../operator/reconcile/cluster-delete.ts'
import type { ClusterContext } from '../../../operator/reconcile/cluster-context.ts'
import { rollBrokers } from '../../../operator/reconcile/cluster-roll.ts'
import { Deadlines } from '../../../operator/reconcile/deadlines.ts'
import { NextLoop } from '../../../operator/reconcile/steps.ts'
import { deleteTopic } from '../../../operator/reconcile/topic-delete.ts'
import type { TopicContext } from '../../../operator/reconcile/topic-context.ts'
import { FakeClock } from '../fake-clock.ts'

const finalizers = ['millrace.dev/delete-data']
const going = { namespace: 'default', resourceVersion: '1', deletionTimestamp: '2026-01-02T03:04:05Z', finalizers }
const minuteMs = 60_000

let clock: FakeClock
let deadlines: Deadlines
/** In the order in which they were asked for. */
let writes: string[]
let told: Happening[]

const api = {
  get: async () => undefined,
  list: async () => ({ items: [{ metadata: { name: 'data-events-0', namespace: 'default', uid: 'claim' } }] }),
  delete: async (kind: { kind: string }, _namespace: string, name: string) => { writes.push(`${kind.kind} ${name}`) },
  apply: async (_kind: unknown, object: KubeObject) => object,
  patch: async (kind: { kind: string }, _namespace: string, name: string, patch: object) => {
    writes.push(`release ${kind.kind} ${name}`)
    return { metadata: { ...going, name, ...patch } }
  }
} as unknown as KubeApi

const cacheOf = (...objects: KubeObject[]): unknown => {
  const all = new Map(objects.map(object => [`default/${object.metadata.name}`, object]))
  return { get: (key: string) => all.get(key), values: () => all.values(), observe: () => {} }
}

beforeEach(() => {
  clock = new FakeClock()
  deadlines = new Deadlines(clock)
  writes = []
  told = []
})

describe('a Topic whose data is to go', () => {
  const topic = {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic', metadata: { ...going, name: 'orders', uid: 'topic' },
    spec: { cluster: 'events', deletePolicy: 'Delete' }, status: { topicId: '01' }
  }
  const attempt = async (): Promise<void> => {
    await deleteTopic({
      api,
      clock,
      deadlines,
      topic,
      clusterKey: 'default/events',
      caches: {
        clusters: cacheOf({ apiVersion: '', kind: 'Cluster', metadata: { name: 'events' } }), topics: cacheOf()
      },
      controllers: { call: async () => { throw new WireError('CONTROLLER_UNAVAILABLE') } },
      topicIndex: { owner: () => topic },
      events: { record: (_object: unknown, happening: Happening) => { told.push(happening) } }
    } as unknown as TopicContext)
  }

  it('is held while its controller cannot be asked, for ten minutes, then let go with a warning', async () => {
    await expect(attempt()).rejects.toThrow(NextLoop)
    await clock.advance(10 * minuteMs - 1)
    await expect(attempt()).rejects.toThrow(NextLoop)
    expect(writes).toEqual([])
    expect(told.map(({ reason }) => reason)).not.toContain('DataLeftBehind')
    await clock.advance(1)
    await attempt()
    expect(writes).toEqual(['release Topic orders'])
    expect(told.at(-1)).toMatchObject({ type: 'Warning', reason: 'DataLeftBehind' })
  })
})

describe('a Cluster whose data is to go', () => {
  const cluster = {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { ...going, name: 'events', uid: 'cluster' },
    spec: { brokers: 1, storage: { size: '1Gi', deletePolicy: 'Delete' } }
  }
  /** Its node is dead: nobody says that the process has ended. */
  const stuck = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'events-0', namespace: 'default' } }
  const table = {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'PartitionTable',
    metadata: { name: 'events-0', namespace: 'default', uid: 'table' }
  }
  const attempt = async (): Promise<void> => {
    await deleteCluster({
      api,
      clock,
      deadlines,
      cluster,
      key: 'default/events',
      draining: [],
      maintenance: [],
      notes: {},
      caches: {
        clusters: cacheOf(), tables: cacheOf(table), managed: { statefulSet: cacheOf() }, podsOf: () => [stuck]
      },
      views: { get: () => undefined, silentMs: () => 0 },
      topicIndex: { ofCluster: () => new Set() },
      events: { record: () => {} }
    } as unknown as ClusterContext)
  }

  it('waits two minutes for a pod that does not end, then deletes tables and volumes', async () => {
    await expect(attempt()).rejects.toThrow(NextLoop)
    await clock.advance(2 * minuteMs - 1)
    await expect(attempt()).rejects.toThrow(NextLoop)
    expect(writes).toEqual([])
    await clock.advance(1)
    await attempt()
    expect(writes).toEqual([
      'PartitionTable events-0', 'PersistentVolumeClaim data-events-0', 'release Cluster events'
    ])
  })
})

describe('a broker that no node takes', () => {
  const annotations = { 'millrace.dev/template-hash': 'current' }
  const cluster = {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events', namespace: 'default' }, spec: {}
  }
  const pod = {
    apiVersion: 'v1', kind: 'Pod', metadata: { name: 'events-0', namespace: 'default', uid: 'pod', annotations },
    status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no volume' }] }
  }
  const set = {
    apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: cluster.metadata,
    spec: { template: { metadata: { annotations } } }
  }
  const attempt = async (): Promise<ClusterContext> => {
    const context = {
      cluster, deadlines, notes: {},
      caches: { managed: { statefulSet: cacheOf(set) }, podsOf: () => [pod] }
    } as unknown as ClusterContext
    await rollBrokers(context)
    return context
  }

  it('is no news for ten seconds, in which its volume or its node may be made, and looked at again then', async () => {
    expect(await attempt()).toMatchObject({ notes: {}, comeBackMs: 10_000 })
    await clock.advance(9_999)
    const early = await attempt()
    expect([early.notes.rollFailed, early.comeBackMs]).toEqual([undefined, 1])
    await clock.advance(1)
    expect((await attempt()).notes.rollFailed).toBe('events-0 does not come up: Unschedulable: no volume')
  })
})
