// millrace broker maintenance: says in spec.maintenance of the Cluster that a broker may be away, or that it is back,
// and waits until that is so. The operator and the controller do the rest.
import { isKubeError } from '../operator/kube/api.ts'
import { kinds, type KubeObject } from '../operator/kube/types.ts'
import type { Cluster } from '../operator/schema/resources.ts'
import { CliError, exitCodes } from './exit.ts'
import { findCluster, pause, withKube, type Kube, type KubeOptions } from './kube.ts'
import { note, plural, WaitingNotes } from './notes.ts'
import { print } from './output.ts'

export interface BrokerMaintenanceOptions extends KubeOptions {
  readonly cluster?: string
  readonly wait: boolean
  readonly json?: boolean
}

type StoredCluster = Cluster & KubeObject

const pollMs = 100

export async function brokerMaintenance (text: string, state: string,
  options: BrokerMaintenanceOptions): Promise<number> {
  if (!/^[0-9]{1,9}$/.test(text)) throw new CliError(`${text} is no broker id`, exitCodes.usage)
  if (state !== 'on' && state !== 'off') throw new CliError(`${state} is neither on nor off`, exitCodes.usage)
  const [broker, on] = [Number(text), state === 'on']
  return await withKube(options, async kube => {
    const changed = await change(kube, options.cluster, broker, on)
    const leading = options.wait ? await untilDone(kube, changed, broker, on) : undefined
    const done = leading === 0
    if (options.json === true) {
      await print(`${JSON.stringify({ broker, maintenance: on, ...leading !== undefined && { leading } })}\n`)
    }
    note(words(broker, on, leading))
    return options.wait && !done ? exitCodes.unavailable : exitCodes.ok
  })
}

/** Compare and swap: who changes the list meanwhile loses nothing. */
async function change (kube: Kube, name: string | undefined, broker: number, on: boolean): Promise<StoredCluster> {
  for (;;) {
    const cluster = await findCluster(kube, name)
    const { resourceVersion, name: found, namespace = kube.namespace } = cluster.metadata
    const before = cluster.spec.maintenance ?? []
    if (on) refuseUnlessSpared(cluster, before, broker)
    if (before.includes(broker) === on) return cluster
    const maintenance = on ? [...before, broker].sort((a, b) => a - b) : before.filter(id => id !== broker)
    try {
      return await kube.reach(async () => await kube.api.patch(kinds.cluster, namespace, found, {
        metadata: { resourceVersion }, spec: { maintenance }
      })) as StoredCluster
    } catch (error) {
      if (!isKubeError(error, 'Conflict')) throw error
    }
  }
}

function refuseUnlessSpared ({ metadata, spec, status }: StoredCluster, before: readonly number[],
  broker: number): void {
  const total = Math.max(spec.brokers, status?.brokers?.total ?? 0)
  if (broker >= total) {
    throw new CliError(`Cluster ${metadata.name} has no broker ${broker}; there are 0 to ${total - 1}`,
      exitCodes.notFound)
  }
  const left = Array.from({ length: total }, (_, id) => id).filter(id => id !== broker && !before.includes(id))
  if (left.length > 0) return
  throw new CliError(`every broker of Cluster ${metadata.name} would be in maintenance, and none could lead: nothing ` +
    `was changed${before.length > 0 ? `; take another one out first (${before.join(', ')})` : ''}`)
}

/** How many partitions it leads still; undefined: the operator has not said so in time. */
async function untilDone (kube: Kube, { metadata }: StoredCluster, broker: number,
  on: boolean): Promise<number | undefined> {
  const { name, namespace = kube.namespace, generation = 0 } = metadata
  const waiting = new WaitingNotes()
  for (;;) {
    const cluster = await kube.reach(() => kube.api.get(kinds.cluster, namespace, name)) as StoredCluster | undefined
    if (cluster === undefined) throw new CliError(`Cluster ${name} was deleted`, exitCodes.notFound)
    const { observedGeneration = 0, maintenance = [] } = cluster.status ?? {}
    const known = observedGeneration >= generation
    const entry = maintenance.find(each => each.broker === broker)
    const leading = known ? on ? entry?.leading : entry === undefined ? 0 : undefined : undefined
    if (leading === 0 || performance.now() + pollMs > kube.deadline) return leading
    waiting.waiting(leading === undefined
      ? 'the operator and the controller'
      : `broker ${broker} to hand over ${plural(leading, 'partition')}`)
    await pause(pollMs)
  }
}

function words (broker: number, on: boolean, leading: number | undefined): string {
  if (!on) return `broker ${broker} is not in maintenance: it is missed when it is away, and gets its leaderships back`
  if (leading === 0) return `broker ${broker} is in maintenance and leads nothing: it may be stopped`
  const state = `broker ${broker} is to be in maintenance`
  if (leading === undefined) return `${state}; see how far it is: kubectl get mrc -o jsonpath='{..status.maintenance}'`
  return `${state} and still leads ${plural(leading, 'partition')}: do not stop it while nobody else can lead ` +
    `${leading === 1 ? 'it' : 'them'}`
}
