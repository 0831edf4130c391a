// What may be under way when an operator dies: how the world is before, what a person does, when it is done.
import { isReady, type Pod } from '../../../local/pods/types.ts'
import { clusters, topics, type CrashWorld } from './crash-world.ts'
import { namespace } from './direct-kube.ts'

export interface Story {
  readonly name: string
  /** Of the Cluster that there is before; undefined: none. */
  readonly before?: object
  /** Also before. */
  prepare? (world: CrashWorld): void
  act (world: CrashWorld): void
  /** How often a pod may be deleted: once for each change. */
  readonly restarts?: number
  isDone (world: CrashWorld): boolean
}

interface ClusterShown {
  metadata: { generation: number }
  spec: { brokers: number, storage: { size: string } }
  status?: {
    phase: string
    observedGeneration: number
    brokers: { ready: number, total: number }
    draining?: unknown
    conditions: { type: string, status: string, reason: string }[]
  }
}

interface SetShown {
  spec: {
    replicas: number
    template: { metadata: { annotations: Record<string, string> } }
    volumeClaimTemplates: { spec: { resources: { requests: { storage: string } } } }[]
  }
}

const templateHash = 'millrace.dev/template-hash'

/** The Cluster, its pods and its topics are as their specs say. */
export function isSettled (world: CrashWorld): boolean {
  const cluster = world.kube.get(clusters, 'events') as unknown as ClusterShown | undefined
  const set = world.kube.get('statefulsets.apps', 'events') as unknown as SetShown | undefined
  if (cluster?.status === undefined || set === undefined) return false
  const { spec, status, metadata } = cluster
  const reasons = status.conditions.map(({ reason }) => reason).join()
  const pods = world.kube.list('pods') as Pod[]
  const hash = set.spec.template.metadata.annotations[templateHash]
  const claims = world.kube.list('persistentvolumeclaims').filter(({ metadata: { name } }) =>
    Number(/[0-9]+$/.exec(name)![0]) < spec.brokers)
  return status.observedGeneration === metadata.generation && status.phase === 'Running' &&
    reasons === 'Serving,Settled,AsWanted' && status.brokers.total === spec.brokers && status.draining === undefined &&
    set.spec.replicas === spec.brokers && pods.length === spec.brokers && pods.every(pod => isReady(pod) &&
      pod.metadata.annotations?.[templateHash] === hash) &&
    set.spec.volumeClaimTemplates[0]!.spec.resources.requests.storage === spec.storage.size &&
    claims.every(claim => (claim.spec as SetShown['spec']['volumeClaimTemplates'][0]['spec'])
      .resources.requests.storage === spec.storage.size) &&
    world.kube.list(topics).every(topic => topic.metadata.deletionTimestamp === undefined &&
      (topic.status as ClusterShown['status'])?.conditions[0]?.status === 'True')
}

export function createCluster (world: CrashWorld, spec: object = {}): void {
  world.kube.create(clusters, {
    metadata: { name: 'events', namespace }, spec: { brokers: 3, storage: { size: '1Gi' }, ...spec }
  })
}

const audit = (world: CrashWorld): void => { world.createTopic('audit', { partitions: 2, deletePolicy: 'Delete' }) }

export const stories: readonly Story[] = [{
  name: 'create',
  act: world => { createCluster(world); audit(world) },
  isDone: isSettled
}, {
  name: 'scale up',
  before: {},
  act: world => { world.patchCluster({ brokers: 5 }) },
  isDone: isSettled
}, {
  name: 'scale down',
  before: { brokers: 5 },
  prepare: world => { for (const id of [3, 4]) world.nodes.controller.brokers.known.get(id)!.replicas = 2 },
  act: world => { world.patchCluster({ brokers: 3 }) },
  isDone: isSettled
}, {
  name: 'scale down, volumes deleted',
  before: { brokers: 4, storage: { size: '1Gi', deletePolicy: 'Delete' } },
  prepare: world => { world.nodes.controller.brokers.known.get(3)!.replicas = 2 },
  act: world => { world.patchCluster({ brokers: 3 }) },
  isDone: isSettled
}, {
  name: 'roll',
  before: {},
  act: world => { world.patchCluster({ image: 'millrace:next' }) },
  isDone: isSettled
}, {
  name: 'roll, changed midway',
  before: {},
  restarts: 2,
  act: world => {
    world.patchCluster({ image: 'millrace:next' })
    world.time.after(6_000, () => { world.patchCluster({ image: 'millrace:later' }) })
  },
  isDone: world => isSettled(world) && world.specOf().image === 'millrace:later'
}, {
  name: 'expand',
  before: {},
  act: world => { world.patchCluster({ storage: { size: '2Gi' } }) },
  isDone: isSettled
}, {
  name: 'everything at once',
  before: { brokers: 4 },
  // The broker that is to go may be restarted before it is empty.
  restarts: 2,
  prepare: world => { world.nodes.controller.brokers.known.get(3)!.replicas = 2 },
  act: world => { world.patchCluster({ brokers: 3, storage: { size: '2Gi' }, image: 'millrace:0.2.0' }); audit(world) },
  isDone: isSettled
}, {
  name: 'delete, data too',
  before: { storage: { size: '1Gi', deletePolicy: 'Delete' } },
  prepare: audit,
  act: world => {
    world.kube.delete(topics, 'audit')
    world.kube.delete(clusters, 'events')
  },
  isDone: world => world.kube.list(clusters).length === 0 && world.kube.list('pods').length === 0
}, {
  name: 'delete, data kept',
  before: {},
  prepare: world => { world.createTopic('orders', { partitions: 2 }) },
  act: world => {
    world.kube.delete(topics, 'orders')
    world.kube.delete(clusters, 'events')
  },
  isDone: world => world.kube.list(clusters).length === 0 && world.kube.list('pods').length === 0
}]

/** As it is before a person acts; operators of earlier times are dead. */
export async function prepare (world: CrashWorld, story: Story): Promise<void> {
  if (story.before === undefined) return
  world.startOperator()
  createCluster(world, story.before)
  await world.until(() => isSettled(world))
  story.prepare?.(world)
  const hasBegun = await world.converges(() => isSettled(world))
  if (!hasBegun) throw new Error(`${story.name}: not even the beginning came about`)
  world.kill()
  world.writes.length = 0
  world.nodes.deleted.length = 0
}
