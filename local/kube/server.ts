// Puts the parts together: store, catalog, controllers, HTTP, and the in-process face of api.ts.
import { join } from 'node:path'
import type {
  KubeApi, KubeApiOptions, ListOptions, LogProvider, ResourceName, WatchEvent, Writable, WriteOptions
} from './contract.ts'
import { builtinTypes } from './builtin/types.ts'
import { CrdController } from './controllers/crds.ts'
import { GarbageCollector } from './controllers/gc.ts'
import { NamespaceController } from './controllers/namespaces.ts'
import { Listener } from './http/listener.ts'
import { Router } from './http/router.ts'
import type { Json, JsonObject, KubeObject } from './object.ts'
import { clone } from './object.ts'
import { mergePatch } from './patch/merge-patch.ts'
import { Catalog } from './registry/catalog.ts'
import { writeContext } from './registry/codec.ts'
import { Deleter } from './registry/deleter.ts'
import { Reader } from './registry/reader.ts'
import { apiVersionOf } from './registry/resource.ts'
import type { ResourceType } from './registry/resource.ts'
import { withScale } from './registry/scale.ts'
import { follow, watchFilter } from './registry/watcher.ts'
import { Writer } from './registry/writer.ts'
import type { Target } from './registry/writer.ts'
import { noSuchPath } from './status.ts'
import { lockFolder } from './storage/lock.ts'
import { Store } from './storage/store.ts'

const host = '127.0.0.1'
const historyEventsDefault = 10_000

class Server implements KubeApi {
  readonly #store: Store
  readonly #catalog = new Catalog()
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #deleter: Deleter
  readonly #gc: GarbageCollector
  readonly #listener: Listener
  readonly #unlock: () => void
  #logs: LogProvider | undefined
  #closed: Promise<void> | undefined
  port = 0

  constructor (store: Store, options: KubeApiOptions, unlock: () => void) {
    const now = (): number => options.clock?.wallTime() ?? Date.now()
    this.#store = store
    this.#unlock = unlock
    for (const type of builtinTypes()) this.#catalog.add(type)
    this.#reader = new Reader(store)
    this.#writer = new Writer(store, now, crd => { crds.serve(crd) })
    this.#deleter = new Deleter(store, this.#writer, now)
    const crds = new CrdController(store, this.#catalog, this.#writer, this.#deleter)
    const namespaces = new NamespaceController(store, this.#catalog, this.#writer, this.#deleter)
    this.#gc = new GarbageCollector(store, this.#catalog, this.#writer, this.#deleter)
    const controllers = [crds, namespaces, this.#gc]
    store.subscribe(change => { for (const controller of controllers) controller.onChange(change) })
    for (const controller of controllers) controller.start()
    const services = { reader: this.#reader, writer: this.#writer, deleter: this.#deleter }
    this.#listener = new Listener(new Router({
      store, catalog: this.#catalog, services, now, faults: options.faults, logs: () => this.#logs
    }), options.faults)
  }

  get url (): string {
    return `http://${host}:${this.port}`
  }

  async listen (port: number): Promise<void> {
    this.port = await this.#listener.listen(host, port)
  }

  #type (resource: ResourceName): ResourceType {
    const type = this.#catalog.named(resource)
    if (type === undefined) throw noSuchPath()
    return type
  }

  #target (resource: ResourceName, namespace: string | undefined, name: string,
    subresource?: 'status' | 'scale'): Target {
    const type = this.#type(resource)
    return { type, namespace: type.namespaced ? namespace ?? 'default' : undefined, name, subresource }
  }

  list (resource: ResourceName, options: ListOptions = {}): KubeObject[] {
    return this.#reader.list(this.#type(resource), options).objects
  }

  get (resource: ResourceName, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#writer.find(this.#target(resource, namespace, name))
  }

  async create (resource: ResourceName, object: Writable, options?: WriteOptions): Promise<KubeObject> {
    const type = this.#type(resource)
    const namespace = type.namespaced ? object.metadata.namespace ?? 'default' : undefined
    return await this.#durable(this.#writer.create(type, namespace, this.#raw(type, object), context(options)))
  }

  async update (resource: ResourceName, object: Writable, options?: WriteOptions): Promise<KubeObject> {
    return await this.#update(resource, object, undefined, options)
  }

  async updateStatus (resource: ResourceName, object: Writable, options?: WriteOptions): Promise<KubeObject> {
    return await this.#update(resource, object, 'status', options)
  }

  async #update (resource: ResourceName, object: Writable, subresource: 'status' | undefined,
    options?: WriteOptions): Promise<KubeObject> {
    const { name = '', namespace } = object.metadata
    const target = this.#target(resource, namespace, name, subresource)
    return await this.#durable(this.#writer.update(target, this.#raw(target.type, object), context(options)))
  }

  async patch (resource: ResourceName, namespace: string | undefined, name: string, patch: object,
    options?: WriteOptions & { readonly subresource?: 'status' | 'scale' }): Promise<KubeObject> {
    const isScale = options?.subresource === 'scale'
    const target = this.#target(resource, namespace, name, options?.subresource)
    const change = (live: JsonObject): unknown => isScale
      ? withScale(target.type, live, { kind: 'Scale', apiVersion: 'autoscaling/v1', ...patch })
      : mergePatch(live, clone(patch) as Json)
    return await this.#durable(this.#writer.patch(target, change, context(options)))
  }

  async delete (resource: ResourceName, namespace: string | undefined, name: string,
    options = {}): Promise<KubeObject> {
    return await this.#durable(this.#deleter.delete(this.#target(resource, namespace, name), options).object)
  }

  watch (resource: ResourceName, onEvent: (event: WatchEvent) => void): () => void {
    const type = this.#type(resource)
    const { objects, revision } = this.#reader.list(type, {})
    const filter = watchFilter(type, {})
    let isActive = true
    for (const object of objects) if (isActive) onEvent({ type: 'ADDED', object })
    const stop = follow(this.#store, revision, change => {
      const event = isActive ? filter(change) : undefined
      if (event !== undefined) onEvent(event)
    })
    return () => {
      isActive = false
      stop()
    }
  }

  onLogs (provider: LogProvider): void {
    this.#logs = provider
  }

  async close (): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async #close (): Promise<void> {
    this.#gc.stop()
    await this.#listener.close()
    await this.#store.close()
    this.#unlock()
  }

  async #durable (object: KubeObject): Promise<KubeObject> {
    await this.#store.durable()
    return object
  }

  /** A copy that the writer may change, with apiVersion and kind. */
  #raw (type: ResourceType, object: Writable): unknown {
    return { ...clone(object), apiVersion: object.apiVersion ?? apiVersionOf(type), kind: object.kind ?? type.kind }
  }
}

function context (options: WriteOptions | undefined): ReturnType<typeof writeContext> {
  return writeContext(options?.fieldManager ?? 'millrace-local')
}

/** Starts the server; resolves when it accepts connections. Rejects with a one-line Error. */
export async function startKubeApi (options: KubeApiOptions = {}): Promise<KubeApi> {
  const folder = options.folder === undefined ? undefined : join(options.folder)
  const unlock = folder === undefined ? () => {} : lockFolder(folder)
  try {
    const store = await Store.open(folder, options.historyEventsMax ?? historyEventsDefault)
    const server = new Server(store, options, unlock)
    await server.listen(options.port ?? 0)
    await store.durable()
    return server
  } catch (error) {
    unlock()
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      throw new Error(`port ${options.port} on ${host} is in use`, { cause: error })
    }
    throw error
  }
}
