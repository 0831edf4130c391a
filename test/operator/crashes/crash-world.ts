// A cluster whose operators die, are told nothing, know old things or are two: everything but the operator itself is
// simulated, in virtual time.
import type { KubeObject as Stored } from '../../../local/kube/object.ts'
import type { KubeApi } from '../../../operator/kube/api.ts'
import { Operator } from '../../../operator/operator.ts'
import type { Calls } from '../../../operator/admin-calls.ts'
import { WireError } from '../../../wire/errors.ts'
import { silentLog } from '../silent-log.ts'
import { DirectKube, namespace, OperatorApi, travel, type Fate, type Way } from './direct-kube.ts'
import { Nodes } from './nodes.ts'
import { Process, seeded, VirtualTime } from './virtual-time.ts'

export const clusters = 'clusters.millrace.dev'
export const topics = 'topics.millrace.dev'

/** What an operator of a test is like; an ordinary one without any of it. */
export interface OperatorOptions {
  readonly fate?: (write: string) => Fate
  readonly latencyMs?: () => number
  readonly eventDelayMs?: (kind: string) => number
}

/** Nothing was written for so long: it is over. */
const calmMs = 45_000
/** A roll of three brokers takes 30 s when everything is waited for. */
const limitMs = 15 * 60_000

const kept = [
  clusters, topics, 'serviceaccounts', 'roles.rbac.authorization.k8s.io', 'rolebindings.rbac.authorization.k8s.io',
  'configmaps', 'services', 'networkpolicies.networking.k8s.io', 'poddisruptionbudgets.policy', 'statefulsets.apps',
  'leases.coordination.k8s.io', 'persistentvolumeclaims', 'pods', 'partitiontables.millrace.dev'
]

interface Running { readonly operator: Operator, readonly process: Process }

export class CrashWorld {
  readonly time = new VirtualTime()
  readonly kube: DirectKube
  readonly nodes: Nodes
  /** Every write of operators that was sent, and orders to the controller. */
  readonly writes: string[] = []
  readonly #running: Running[] = []
  #writtenAt = 0

  private constructor (kube: DirectKube, time: VirtualTime) {
    this.time = time
    this.kube = kube
    this.nodes = new Nodes(kube, time)
    kube.store.subscribe(({ table }) => { if (!table.startsWith('events.')) this.#writtenAt = time.now })
  }

  static async start (): Promise<CrashWorld> {
    const time = new VirtualTime()
    return new CrashWorld(await DirectKube.start(time), time)
  }

  startOperator (options: OperatorOptions = {}): Process {
    const process = new Process()
    const number = this.#running.length
    const random = seeded(number + 1)
    const way: Way = {
      process,
      time: this.time,
      latencyMs: options.latencyMs ?? (() => 1),
      eventDelayMs: options.eventDelayMs ?? (() => 2),
      fate: write => {
        this.writes.push(write)
        return options.fate?.(write) ?? 'arrives'
      }
    }
    const api: KubeApi = new OperatorApi(this.kube, way)
    const operator = new Operator({
      api,
      net: this.#calls(way),
      clock: this.time.clockOf(process),
      rng: { integer: max => Math.floor(random() * max), fraction: random, hex: length => hex(random, length) },
      log: silentLog,
      namespaces: [],
      image: 'millrace:0.1.0',
      version: '0.1.0',
      instance: `operator-${number}`
    })
    this.#running.push({ operator, process })
    operator.start()
    void operator.lead()
    return process
  }

  /** As `kill -9`. */
  kill (): void {
    for (const { process } of this.#running) process.dead = true
  }

  /** Calls to the controller take the same way; orders count as writes. */
  #calls (way: Way): Calls {
    const { controller } = this.nodes
    return {
      call: async (address, method, request, timeoutMs) => {
        const order = method === 'DescribeCluster' || method === 'RestoreTables' ? '' : `order ${method}`
        return await travel(way, order, async () => await controller.call(address, method, request as never),
          () => new WireError('TIMED_OUT', `no answer within ${timeoutMs} ms`))
      },
      forget: () => {}
    }
  }

  /** Lets time pass until `holds` and nothing has been written for a while; false when that does not come about. */
  async converges (holds: () => boolean): Promise<boolean> {
    return await this.time.until(() => this.time.now - this.#writtenAt > calmMs && holds(), limitMs)
  }

  async until (holds: () => boolean): Promise<void> {
    if (!await this.time.until(holds, limitMs)) throw new Error('what was waited for did not come about')
  }

  async close (): Promise<void> {
    this.kill()
    for (const { operator } of this.#running) void operator.stop()
    await this.kube.close()
  }

  /** Everything there is, but for what no two runs share. */
  outcome (): unknown {
    const uids = new Map<string, string>()
    const objects = kept.flatMap(resource => this.kube.list(resource)).map(object => {
      const { managedFields: _m, uid = '', resourceVersion: _r, creationTimestamp: _c, ...metadata } = object.metadata
      uids.set(uid, `uid of ${object.kind} ${metadata.name}`)
      return { ...object, metadata }
    }).map(withoutRuns)
    const orders = [...this.nodes.controller.topics].sort(([a], [b]) => a < b ? -1 : 1)
    let text = JSON.stringify({ objects, topics: orders, brokers: this.nodes.controller.brokers.all })
    for (const [uid, name] of uids) text = text.replaceAll(uid, name)
    return JSON.parse(text
      .replaceAll(/"(millrace.dev\/(?:applied|template-hash|claim-uid))":"[^"]*"/g, '"$1":"-"')
      .replaceAll(/"[a-z-]*(revision|Revision)[a-z-]*":"[^"]*"/g, '"revision":"-"')
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'uid of what is gone')
      .replaceAll(/"(observedGeneration)":\d+/g, '"$1":"-"')
      .replaceAll(/"writeId":"\d+"/g, '"writeId":"-"')
      .replaceAll(/"millrace.dev\/restart":"[^"]*"/g, '"restart":"-"')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/"(clusterIPs?)":(\["[^"]*"\]|"[^"]*")/g, '"$1":"-"'))
  }

  patchCluster (spec: object): void {
    this.kube.patch(clusters, 'events', { spec })
  }

  specOf (): { readonly image?: string } {
    return this.kube.get(clusters, 'events')!.spec as { image?: string }
  }

  createTopic (name: string, spec: object): void {
    this.kube.create(topics, { metadata: { name, namespace }, spec: { cluster: 'events', ...spec } })
  }
}

/** How often an object was written, and what an earlier cluster left in the hash of its uid. */
function withoutRuns (object: Stored): object {
  const { generation: _g, ...metadata } = object.metadata
  return { ...object, metadata }
}

function hex (random: () => number, length: number): string {
  return Array.from({ length: length * 2 }, () => Math.floor(random() * 16).toString(16)).join('')
}
