// A Cluster on real nodes while things happen to it: producers and consumers in the cluster's network write down what
// they did and saw, and what became of it is judged as in the runs on plain processes (test/fault/faults/).
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Any } from '../../local/kube/client.ts'
import type { Key } from '../../check/history.ts'
import { nowMs } from '../../fault/faults/clock.ts'
import { keysOf } from '../../fault/faults/client-options.ts'
import { Clients } from '../../fault/faults/clients.ts'
import { Acknowledgements } from '../../fault/faults/gaps.ts'
import type { TopicSpec } from '../../fault/faults/world.ts'
import type { Round } from '../../fault/faults/rounds.ts'
import { notWhole, placedRows, type Tables } from '../../fault/faults/tables.ts'
import { committedEnds, healMsMax, judge, type Verdict } from '../../fault/faults/verdict.ts'
import { volumeContents } from '../../fault/faults/volume-contents.ts'
import { pathOf } from '../objects.ts'
import type { Nodes } from './nodes.ts'
import { until } from './tools.ts'

const namespace = 'default'
const wholeMsMax = 120_000
const settleMsMax = 60_000
const drainMsMax = 120_000
const producers = 2
const consumers = 2
/** A producer sends to every partition so often. */
const everyMs = 25

export class Trial {
  readonly rounds: Round[] = []
  readonly #nodes: Nodes
  readonly #name: string
  readonly #topics: readonly TopicSpec[]
  readonly #clients: Clients

  /** @param name of the Cluster, with topics that exist @param seed of what the clients draw */
  constructor (nodes: Nodes, name: string, topics: readonly TopicSpec[], seed: number) {
    this.#nodes = nodes
    this.#name = name
    this.#topics = topics
    const folder = join(nodes.folder, 'trial')
    mkdirSync(folder)
    this.#clients = new Clients({
      folder,
      bootstrap: [`${name}-bootstrap.${namespace}.svc:9090`],
      clientPids: new Map(),
      through: nodes.commandInside()
    }, topics, seed, everyMs)
  }

  begin (): void { this.#clients.begin(producers, consumers) }

  /** Does something, sets it right, waits until everything is whole: one line of the table. */
  async round (name: string, harm: () => Promise<void>, heal: () => Promise<void> = async () => {}): Promise<void> {
    const startedAtMs = nowMs()
    await harm()
    await heal()
    const healedAtMs = nowMs()
    await this.whole()
    this.rounds.push({ name, what: [name], startedAtMs, healedAtMs, wholeAtMs: nowMs() })
  }

  async whole (): Promise<void> {
    let missing = ''
    await until('everything is whole', wholeMsMax, async () => {
      missing = await this.#missing().catch((error: unknown) => String(error))
      return missing === ''
    }).catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${missing}`) })
  }

  /** Ends the load and the Cluster, reads everything that clients saw and disks hold. */
  async verdict (): Promise<Verdict & { readonly failures: readonly string[] }> {
    await this.#writtenSince()
    await this.#clients.stop('producer', settleMsMax)
    const drained = await this.#clients.drain(drainMsMax)
    await this.#clients.stop('consumer', settleMsMax)
    const rows = placedRows(await this.#tables())
    const client = this.#nodes.client()
    const path = pathOf('clusters.millrace.dev', namespace, this.#name)
    const { uid: clusterUid } = ((await client.get(path)).body as Any).metadata as { uid: string }
    await client.delete(path)
    await client.eventually(path, ({ status }) => status === 404, wholeMsMax)
    await client.eventually(`${pathOf('pods', namespace)}?labelSelector=millrace.dev/cluster=${this.#name}`,
      ({ body }) => (body as Any).items.length === 0, wholeMsMax)
    await this.#linkVolumes()
    const history = this.#clients.history()
    const replicas = await volumeContents({
      folder: join(this.#nodes.folder, 'trial'), clusterUid, rows, committed: committedEnds(history)
    })
    return { ...judge(history, this.rounds, this.#keys, replicas, drained), failures: this.#clients.failures }
  }

  get #keys (): Key[] { return keysOf(this.#topics) }

  /** Everything may be whole again before each partition has taken a write: the load goes on until it has. */
  async #writtenSince (): Promise<void> {
    const last = this.rounds.at(-1)
    if (last === undefined) return
    await until('every partition has taken a write', healMsMax, () => {
      const { writesBackMs } = new Acknowledgements(this.#clients.history(), this.#keys).measure(last)
      return Promise.resolve(Number.isFinite(writesBackMs))
    }).catch(() => { /* the verdict says so */ })
  }

  killClients (): void { this.#clients.killAll() }

  /** Retained volumes under the names of their claims. */
  async #linkVolumes (): Promise<void> {
    const claims = ((await this.#nodes.client().get(pathOf('persistentvolumeclaims', namespace))).body as Any).items
    const folder = join(this.#nodes.folder, 'trial/volumes')
    mkdirSync(folder)
    for (const { metadata, spec } of claims) {
      symlinkSync(this.#nodes.volumeFolder(spec.volumeName), join(folder, metadata.name))
    }
  }

  async #tables (): Promise<Tables> {
    const { body } = await this.#nodes.client().get(pathOf('partitiontables.millrace.dev', namespace))
    return { list: () => (body as Any).items }
  }

  /** Empty when every broker is ready and every partition whole. */
  async #missing (): Promise<string> {
    const client = this.#nodes.client()
    const cluster = (await client.get(pathOf('clusters.millrace.dev', namespace, this.#name))).body as Any
    const pods = (await client.get(`${pathOf('pods', namespace)}?labelSelector=app.kubernetes.io/component=broker`))
      .body as Any
    const ready = pods.items.filter((pod: Any) => pod.metadata.deletionTimestamp === undefined &&
      (pod.status.conditions ?? []).some((each: Any) => each.type === 'Ready' && each.status === 'True'))
    if (ready.length !== cluster.spec.brokers || pods.items.length !== ready.length) {
      return `${ready.length} of ${pods.items.length} pods are ready, ${cluster.spec.brokers} are asked for`
    }
    return notWhole(await this.#tables())
  }
}
