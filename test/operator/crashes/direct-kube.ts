// The embedded Kubernetes API without its HTTP: the same store, registry, admission and garbage collection, called
// in the same turn. `OperatorApi` is one operator's way to it, with the faults that may happen on that way.
import { CrdController } from '../../../local/kube/controllers/crds.ts'
import { GarbageCollector } from '../../../local/kube/controllers/gc.ts'
import { NamespaceController } from '../../../local/kube/controllers/namespaces.ts'
import { builtinTypes } from '../../../local/kube/builtin/types.ts'
import type { DeleteOptions } from '../../../local/kube/contract.ts'
import type { JsonObject, KubeObject as Stored } from '../../../local/kube/object.ts'
import { mergePatch } from '../../../local/kube/patch/merge-patch.ts'
import { Catalog } from '../../../local/kube/registry/catalog.ts'
import { writeContext } from '../../../local/kube/registry/codec.ts'
import { Deleter } from '../../../local/kube/registry/deleter.ts'
import { Reader } from '../../../local/kube/registry/reader.ts'
import { follow, watchFilter } from '../../../local/kube/registry/watcher.ts'
import { Writer, type Target } from '../../../local/kube/registry/writer.ts'
import { apiVersionOf, type ResourceType } from '../../../local/kube/registry/resource.ts'
import { ApiError } from '../../../local/kube/status.ts'
import { Store } from '../../../local/kube/storage/store.ts'
import type {
  DeletePreconditions, KubeApi, KubeList, ListQuery, WatchHandlers, WatchQuery
} from '../../../operator/kube/api.ts'
import { KubeError } from '../../../operator/kube/api.ts'
import type { Kind, KubeObject } from '../../../operator/kube/types.ts'
import { customResourceDefinition } from '../../../operator/schema/crd.ts'
import { resources } from '../../../operator/schema/resources.ts'
import type { Process, VirtualTime } from './virtual-time.ts'

export const namespace = 'default'

/** What becomes of one write of an operator. */
export type Fate = 'arrives' | 'replyIsLost' | 'operatorDies' | 'operatorDiesAndItArrivesLate'

export interface Way {
  readonly process: Process
  readonly time: VirtualTime
  /** Of a request, and of its answer, each. */
  readonly latencyMs: () => number
  /** How much later than the others this operator sees changes of a kind. */
  readonly eventDelayMs: (kind: string) => number
  /** Asked for each write, `patch Pod events-0`; Events do not count. */
  readonly fate: (write: string) => Fate
}

/** How late a message comes that its sender did not live to see arrive. */
const lateMs = 4_000
const bookmarkMs = 60_000

export class DirectKube {
  readonly store: Store
  readonly reader: Reader
  readonly writer: Writer
  readonly deleter: Deleter
  readonly #catalog = new Catalog()
  readonly #gc: GarbageCollector

  private constructor (store: Store, now: () => number) {
    this.store = store
    for (const type of builtinTypes()) this.#catalog.add(type)
    this.reader = new Reader(store)
    this.writer = new Writer(store, now, crd => { crds.serve(crd) })
    this.deleter = new Deleter(store, this.writer, now)
    const crds = new CrdController(store, this.#catalog, this.writer, this.deleter)
    const namespaces = new NamespaceController(store, this.#catalog, this.writer, this.deleter)
    this.#gc = new GarbageCollector(store, this.#catalog, this.writer, this.deleter)
    const controllers = [crds, namespaces, this.#gc]
    store.subscribe(change => { for (const controller of controllers) controller.onChange(change) })
    for (const controller of controllers) controller.start()
  }

  static async start (time: VirtualTime): Promise<DirectKube> {
    const kube = new DirectKube(await Store.open(undefined, 100_000), () => time.wallTime())
    for (const resource of resources) {
      const definition = customResourceDefinition(resource) as { metadata: { name: string } }
      kube.create('customresourcedefinitions.apiextensions.k8s.io', definition)
    }
    await kube.store.durable()
    return kube
  }

  async close (): Promise<void> {
    this.#gc.stop()
    await this.store.close()
  }

  /** `statefulsets.apps`. */
  type (resource: string): ResourceType {
    return this.#catalog.named(resource)!
  }

  target (resource: string, name: string, subresource?: 'status'): Target {
    const type = this.type(resource)
    return { type, namespace: type.namespaced ? namespace : undefined, name, subresource }
  }

  get (resource: string, name: string): Stored | undefined {
    return this.writer.find(this.target(resource, name))
  }

  list (resource: string): Stored[] {
    return this.reader.list(this.type(resource), {}).objects
  }

  create (resource: string, object: object): void {
    const type = this.type(resource)
    const raw = { apiVersion: apiVersionOf(type), kind: type.kind, ...object }
    this.writer.create(type, type.namespaced ? namespace : undefined, structuredClone(raw), writeContext('test'))
  }

  patch (resource: string, name: string, change: object, subresource?: 'status'): void {
    this.writer.patch(this.target(resource, name, subresource),
      live => mergePatch(live, structuredClone(change) as JsonObject), writeContext('test'))
  }

  delete (resource: string, name: string, options: DeleteOptions = {}): void {
    this.deleter.delete(this.target(resource, name), options)
  }

  /** Calls `onChange` after each change of a resource, with undefined for an object that is gone. */
  onChange (resource: string, onChange: (name: string, object: Stored | undefined) => void): void {
    this.store.subscribe(({ table, object, after }) => {
      if (table === this.type(resource).table) onChange(object.metadata.name, after)
    })
  }
}

export function resourceOf ({ apiVersion, plural }: Kind): string {
  const [group] = apiVersion.split('/')
  return apiVersion.includes('/') ? `${plural}.${group}` : plural
}

const never = new Promise<never>(() => {})

export class OperatorApi implements KubeApi {
  readonly #kube: DirectKube
  readonly #way: Way

  constructor (kube: DirectKube, way: Way) {
    this.#kube = kube
    this.#way = way
  }

  async get (kind: Kind, _namespace: string, name: string): Promise<KubeObject | undefined> {
    return await this.#request('', () => this.#kube.get(resourceOf(kind), name)) as KubeObject | undefined
  }

  async list (kind: Kind, query: ListQuery): Promise<KubeList> {
    const { objects, revision } = await this.#request('', () =>
      this.#kube.reader.list(this.#kube.type(resourceOf(kind)), { labelSelector: query.labelSelector }))
    return { items: objects as unknown as KubeObject[], resourceVersion: String(revision), continue: '' }
  }

  watch (kind: Kind, query: WatchQuery, handlers: WatchHandlers): () => void {
    const { process, time, eventDelayMs } = this.#way
    const filter = watchFilter(this.#kube.type(resourceOf(kind)), { labelSelector: query.labelSelector })
    let isOpen = true
    let lastAt = 0
    const deliver = (event: Parameters<WatchHandlers['event']>[0]): void => {
      lastAt = Math.max(lastAt, time.now + eventDelayMs(kind.kind))
      time.after(lastAt - time.now, () => { if (isOpen && !process.dead) handlers.event(event) })
    }
    const stop = follow(this.#kube.store, Number(query.resourceVersion), change => {
      const event = filter(change)
      if (event !== undefined) deliver(event as never)
    })
    const bookmark = (): void => {
      if (!isOpen || process.dead) return
      const metadata = { name: '', resourceVersion: String(this.#kube.store.revision) }
      deliver({ type: 'BOOKMARK', object: { apiVersion: kind.apiVersion, kind: kind.kind, metadata } })
      time.after(bookmarkMs, bookmark)
    }
    time.after(bookmarkMs, bookmark)
    return () => { isOpen = false; stop() }
  }

  async create (kind: Kind, object: KubeObject): Promise<KubeObject> {
    return await this.#write('create', kind, object.metadata.name, target =>
      this.#kube.writer.create(target.type, namespace, structuredClone(object), writeContext('millrace-operator')))
  }

  async replace (kind: Kind, object: KubeObject): Promise<KubeObject> {
    return await this.#write('replace', kind, object.metadata.name, target =>
      this.#kube.writer.update(target, structuredClone(object), writeContext('millrace-operator')))
  }

  async apply (kind: Kind, object: KubeObject, subresource?: 'status'): Promise<KubeObject> {
    return await this.#write(subresource === undefined ? 'apply' : 'applyStatus', kind, object.metadata.name, target =>
      this.#kube.writer.apply({ ...target, subresource }, structuredClone(object), true,
        writeContext('millrace-operator')))
  }

  async patch (kind: Kind, _namespace: string, name: string, patch: object): Promise<KubeObject> {
    return await this.#write('patch', kind, name, target => this.#kube.writer.patch(target,
      live => mergePatch(live, structuredClone(patch) as JsonObject), writeContext('millrace-operator')))
  }

  async delete (kind: Kind, _namespace: string, name: string, given: DeletePreconditions = {}): Promise<void> {
    const { propagationPolicy, ...preconditions } = given
    await this.#write('delete', kind, name, target => {
      if (this.#kube.writer.find(target) === undefined) return undefined as never
      return this.#kube.deleter.delete(target, {
        preconditions, ...propagationPolicy !== undefined && { propagationPolicy }
      }).object
    })
  }

  close (): void {}

  async #write (verb: string, kind: Kind, name: string, carryOut: (target: Target) => Stored): Promise<KubeObject> {
    const write = kind.kind === 'Event' ? '' : `${verb} ${kind.kind} ${name}`
    const target = this.#kube.target(resourceOf(kind), name)
    return await this.#request(write, () => carryOut(target)) as unknown as KubeObject
  }

  async #request<T> (write: string, carryOut: () => T): Promise<T> {
    return await travel(this.#way, write, async () => {
      try {
        return carryOut()
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        throw new KubeError(error.code, error.reason, error.message)
      } finally {
        await this.#kube.store.durable()
      }
    }, () => new KubeError(0, 'ConnectionBroken', 'the reply is lost'))
  }
}

/** There and back, as the way says; to an operator that is dead nothing comes back. */
export async function travel<T> (way: Way, write: string, carryOut: () => Promise<T>, lost: () => Error): Promise<T> {
  const { process, time, latencyMs } = way
  if (process.dead) return await never
  const fate = write === '' ? 'arrives' : way.fate(write)
  if (fate === 'operatorDiesAndItArrivesLate') process.dead = true
  await time.sleep(fate === 'operatorDiesAndItArrivesLate' ? lateMs : latencyMs())
  // Sent before the death, so it arrives.
  const outcome = await carryOut().then(value => ({ value }), (error: unknown) => ({ error }))
  if (fate === 'operatorDies') process.dead = true
  await time.sleep(latencyMs())
  if (process.dead) return await never
  if (fate === 'replyIsLost') throw lost()
  if ('error' in outcome) throw outcome.error
  return outcome.value
}
