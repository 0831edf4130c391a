// A cluster of real processes for fault runs: the embedded Kubernetes API, real operator, real brokers, every
// connection between them through the proxies of network.ts.
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Program } from '../../../local/child.ts'
import { rootFolder } from '../../../local/child.ts'
import { startKubeApi } from '../../../local/kube/api.ts'
import type { KubeApi } from '../../../local/kube/api.ts'
import { writeKubeconfig } from '../../../local/kube/kubeconfig.ts'
import { applyCrds, clusterName } from '../../../local/manifests.ts'
import { freePort } from '../../../local/pods/free-ports.ts'
import { PodLog } from '../../../local/pods/pod-log.ts'
import { PodRunner } from '../../../local/pods/pod-runner.ts'
import { ServiceController } from '../../../local/pods/service-controller.ts'
import { StatefulSetController } from '../../../local/pods/stateful-set-controller.ts'
import { address, isReady, portsOf } from '../../../local/pods/types.ts'
import type { Pod } from '../../../local/pods/types.ts'
import { Supervised } from '../../../local/supervised.ts'
import { alive, parentOf, run, until } from '../harness.ts'
import type { Ran } from '../harness.ts'
import { keysOf } from './client-options.ts'
import type { WorkTopic } from './client-options.ts'
import type { LaunchConfig } from './launch.ts'
import { Network } from './network.ts'
import { misplacedIn, PlacementWatch } from './placement.ts'
import { controllerOf, notWhole, placedRows } from './tables.ts'

export const kubeHost = 'kube'
export const operatorHost = 'operator'
/** Room for scaling up. */
export const brokersMax = 8

const namespace = 'default'
const launcher = join(import.meta.dirname, 'launch.ts')
const setUpMsMax = 180_000
const stopMsMax = 20_000
const cliMsMax = 40_000

export interface TopicSpec extends WorkTopic {
  readonly replicas: number
  readonly minInSync: number
}

export interface WorldOptions {
  /** Brokers are connected without proxies between them; only the Kubernetes API can be cut off then. */
  readonly direct?: boolean
  /** Of the Cluster. */
  readonly rebalance?: { readonly bytesPerSecond: string }
}

export function podName (broker: number): string {
  return `${clusterName}-${broker}`
}

export class World {
  readonly folder: string
  readonly api: KubeApi
  readonly network: Network
  readonly #proxies: readonly string[]
  /** Pids of client processes, by name. */
  readonly clientPids: Map<string, number>
  readonly troubles: string[] = []
  readonly placement: PlacementWatch
  readonly #config: LaunchConfig
  readonly #runner: PodRunner
  readonly #sets: StatefulSetController
  readonly #services: ServiceController
  readonly #operator: Supervised
  readonly #operatorLog: PodLog
  /** By host: how many faults keep it down. */
  readonly #holds = new Map<string, number>()
  readonly #ends: string[] = []
  #clis = 0

  private constructor (folder: string, api: KubeApi, network: Network, config: LaunchConfig,
    proxies: readonly string[], clientPids: Map<string, number>) {
    this.folder = folder
    this.clientPids = clientPids
    this.api = api
    this.placement = new PlacementWatch(api)
    this.network = network
    this.#proxies = proxies
    this.#config = config
    const configPath = join(folder, 'launch.json')
    const program = (name: string, file: string, args: readonly string[]): Program =>
      ({ file: launcher, args: [configPath, name, join(rootFolder, file), ...args] })
    const onError = (key: string, error: unknown): void => { this.#note(`${key}: ${(error as Error).message}`) }
    this.#runner = new PodRunner({
      api,
      dataFolder: folder,
      program: ({ args = [] }) => args[0] === 'broker' ? program('-', 'broker/main.ts', args.slice(1)) : undefined,
      onError,
      onEnd: (key, pid, how) => { this.#ended(key.replace(/^.*\//, ''), pid, how) }
    })
    this.#sets = new StatefulSetController(api, onError)
    this.#services = new ServiceController({
      api, onError, proxies: new Map(), isRunning: pod => this.#runner.isRunning(pod)
    })
    this.#operatorLog = new PodLog(join(folder, 'logs/operator.log'))
    this.#operator = new Supervised(program(operatorHost, 'operator/main.ts', []), {},
      chunk => { this.#operatorLog.write(chunk) },
      how => { this.#ended(operatorHost, this.pids().get(operatorHost) ?? 0, how) })
  }

  /**
   * @param brokers how many at first. Resolves when every topic is there and whole.
   */
  static async start (folder: string, brokers: number, topics: readonly TopicSpec[],
    { direct = false, rebalance }: WorldOptions = {}): Promise<World> {
    const api = await startKubeApi({ folder: join(folder, 'kube') })
    const clientPids = new Map<string, number>()
    const network = new Network(() => pidsOf(folder, clientPids))
    const { config, bootstrap } = await connectHosts(folder, api, network, direct)
    writeFileSync(join(folder, 'launch.json'), JSON.stringify(config, undefined, 2))
    writeKubeconfig(join(folder, 'kubeconfig'), { url: api.url })
    await applyCrds(api, join(rootFolder, 'crds'))
    await api.create('clusters.millrace.dev', {
      metadata: { name: clusterName, namespace },
      spec: {
        brokers, storage: { size: '1Gi' }, topicDefaults: { partitions: 3 }, ...rebalance !== undefined && { rebalance }
      }
    })
    const world = new World(folder, api, network, config, bootstrap, clientPids)
    for (const { name, partitions, replicas, minInSync } of topics) {
      await api.create('topics.millrace.dev', {
        metadata: { name, namespace },
        spec: { cluster: clusterName, partitions, replicas, minInSync, segmentBytes: '1Mi' }
      })
    }
    await world.#begun(brokers, topics)
    return world
  }

  async #begun (brokers: number, topics: readonly TopicSpec[]): Promise<void> {
    const wanted = keysOf(topics)
    await until('every topic is there and whole', setUpMsMax, () => {
      const there = new Set(placedRows(this.api).map(({ key }) => key))
      return this.brokers().length === brokers && this.notReady() === '' && wanted.every(key => there.has(key))
    })
  }

  /** Client addresses: those of the proxies if there are any. */
  get bootstrap (): readonly string[] {
    if (this.#proxies.length > 0) return this.brokers().map(broker => this.#proxies[broker]!)
    return this.#pods().flatMap(pod => portsOf(pod).client ?? []).map(port => `${address}:${port}`)
  }

  /** Ids of the brokers that have a pod. */
  brokers (): number[] {
    return this.#pods().map(pod => Number(pod.metadata.name.slice(clusterName.length + 1))).sort((a, b) => a - b)
  }

  #pods (): Pod[] {
    return this.api.list('pods', { labelSelector: 'app.kubernetes.io/component=broker' }) as Pod[]
  }

  controller (): number { return controllerOf(this.api, clusterName) }

  /** Pids by host name of everything that runs. */
  pids (): Map<string, number> { return pidsOf(this.folder, this.clientPids) }

  /** Of a broker's process. */
  pid (broker: number): number {
    const pid = this.pids().get(podName(broker))
    if (pid === undefined) throw new Error(`${podName(broker)} never ran`)
    return pid
  }

  metricsPort (broker: number): number | undefined {
    const pod = this.api.get('pods', namespace, podName(broker))
    return pod === undefined ? undefined : portsOf(pod).metrics
  }

  inspectPort (broker: number): number { return this.#config.hosts[podName(broker)]!.inspectPort! }
  volumeFolder (broker: number): string { return join(this.folder, `volumes/data-${podName(broker)}`) }
  logFile (broker: number): string { return join(this.folder, `logs/${podName(broker)}.log`) }

  /** It has a process, be it one that waits. */
  runs (broker: number): boolean {
    const pid = this.pids().get(podName(broker))
    return pid !== undefined && isChild(pid)
  }

  /** False when it does not run. */
  signal (pid: number, signal: NodeJS.Signals): boolean {
    if (!isChild(pid)) return false
    process.kill(pid, signal)
    return true
  }

  /** From its next start on the host waits before its program begins. */
  hold (host: string): void {
    mkdirSync(join(this.folder, 'hold'), { recursive: true })
    writeFileSync(join(this.folder, 'hold', host), '')
    this.#holds.set(host, (this.#holds.get(host) ?? 0) + 1)
  }

  /** It stays down for as long as another fault holds it. */
  release (host: string): void {
    const left = (this.#holds.get(host) ?? 1) - 1
    this.#holds.set(host, left)
    if (left <= 0) rmSync(join(this.folder, 'hold', host), { force: true })
  }

  releaseAll (): void {
    this.#holds.clear()
    rmSync(join(this.folder, 'hold'), { recursive: true, force: true })
  }

  /** How processes of brokers and the operator have ended since the last time it was asked for, in order. */
  ends (): string[] { return this.#ends.splice(0) }

  #ended (host: string, pid: number, how: string): void {
    const text = `${host} (pid ${pid}) ended: ${how}`
    this.#ends.push(text)
    appendFileSync(join(this.folder, 'ends.log'), `${new Date().toISOString()} ${text}\n`)
  }

  /** Empty when every broker that is asked for is ready and every partition whole; otherwise what is missing. */
  notReady (): string {
    const there = this.brokers().length
    if (there !== this.brokersWanted()) return `${there} brokers, not ${this.brokersWanted()}`
    const unready = this.#pods().filter(pod => !isReady(pod)).map(pod => pod.metadata.name)
    return unready.length > 0 ? `not ready: ${unready.join(', ')}` : notWhole(this.api)
  }

  /** Empty when it is whole and every partition lies as it shall when nothing strikes; otherwise what does not. */
  misplaced (): string { return this.notReady() || misplacedIn(this.api, this.brokersWanted()) }

  /** What the Cluster asks for. */
  brokersWanted (): number {
    const cluster = this.api.get('clusters.millrace.dev', namespace, clusterName)
    return (cluster?.spec as { brokers?: number } | undefined)?.brokers ?? 0
  }

  /** bin/millrace as a person would call it, as a host of its own. */
  async millrace (args: readonly string[]): Promise<Ran> {
    const name = `cli.${++this.#clis}`
    const env = { KUBECONFIG: join(this.folder, 'kubeconfig'), MILLRACE_BOOTSTRAP: this.bootstrap.join() }
    try {
      return await run(join(rootFolder, 'bin/millrace'), args, {
        env, timeoutMs: cliMsMax, onStart: pid => { this.clientPids.set(name, pid) }
      })
    } finally {
      this.clientPids.delete(name)
    }
  }

  async stop (): Promise<void> {
    this.placement.close()
    await this.#sets.stop()
    await Promise.all([this.#runner.stop(stopMsMax), this.#operator.stop(stopMsMax)])
    await this.#services.stop()
    await this.network.close()
    await this.api.close()
    this.#operatorLog.close()
  }

  #note (text: string): void {
    this.troubles.push(text)
  }
}

/** Its pid may be another process' by now, of somebody else's. */
function isChild (pid: number): boolean {
  return alive(pid) && parentOf(pid) === process.pid
}

/** Clients, and what launch.ts wrote down of brokers and the operator. */
function pidsOf (folder: string, clients: ReadonlyMap<string, number>): Map<string, number> {
  const found = new Map(clients)
  const run = join(folder, 'run')
  if (!existsSync(run)) return found
  for (const file of readdirSync(run)) {
    found.set(file.replace(/\.pid$/, ''), Number(readFileSync(join(run, file), 'utf8')))
  }
  return found
}

/** Proxies for everybody who may be there, and the environment that leads to them. */
async function connectHosts (folder: string, api: KubeApi, network: Network,
  direct: boolean): Promise<{ config: LaunchConfig, bootstrap: string[] }> {
  const hosts: Record<string, { env: Record<string, string>, inspectPort?: number }> = {}
  const bootstrap: string[] = []
  const kubePort = await freePort()
  await network.listen(kubeHost, kubePort, () => api.port)
  for (let broker = 0; broker < brokersMax; broker++) {
    const name = podName(broker)
    const env: Record<string, string> = { MILLRACE_KUBE: `http://${address}:${kubePort}` }
    hosts[name] = { env, inspectPort: await freePort() }
    if (direct) continue
    const proxy = async (kind: string): Promise<string> => {
      const port = await freePort()
      await network.listen(name, port, () => {
        const pod = api.get('pods', namespace, name)
        return pod === undefined ? undefined : portsOf(pod)[kind]
      })
      return `${address}:${port}`
    }
    bootstrap.push(env.MILLRACE_ADVERTISE_CLIENT = await proxy('client'))
    env.MILLRACE_ADVERTISE_PEER = await proxy('peer')
  }
  const kubeconfig = join(folder, 'kubeconfig-operator')
  writeKubeconfig(kubeconfig, { url: `http://${address}:${kubePort}` })
  hosts[operatorHost] = { env: { KUBECONFIG: kubeconfig, MILLRACE_LISTEN_METRICS: `${address}:${await freePort()}` } }
  return { config: { folder, hosts }, bootstrap }
}
