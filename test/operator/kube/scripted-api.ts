// A KubeApi whose answers a test writes down: for what has to go wrong in a certain way.
import {
  KubeError, type KubeApi, type KubeList, type ListQuery, type WatchEvent, type WatchHandlers, type WatchQuery
} from '../../../operator/kube/api.ts'
import type { KubeObject } from '../../../operator/kube/types.ts'

export interface OpenWatch {
  readonly query: WatchQuery
  send (type: WatchEvent['type'], object: KubeObject): void
  end (error?: KubeError): void
  stopped: boolean
}

export class ScriptedApi implements KubeApi {
  /** Answers to `list`, in order; the last one stands. */
  lists: (KubeList | KubeError)[] = []
  readonly listQueries: ListQuery[] = []
  readonly watches: OpenWatch[] = []
  /** Every write: verb, then name. */
  readonly writes: { verb: string, object: KubeObject }[] = []
  /** Asked before each get or write. */
  onCall: (verb: string) => KubeError | undefined = () => undefined
  stored: KubeObject | undefined
  #version = 100

  async list (_kind: unknown, query: ListQuery): Promise<KubeList> {
    this.listQueries.push(query)
    const answer = this.lists.length > 1 ? this.lists.shift()! : this.lists[0]!
    if (answer instanceof Error) throw answer
    return answer
  }

  watch (_kind: unknown, query: WatchQuery, handlers: WatchHandlers): () => void {
    const watch: OpenWatch = {
      query,
      stopped: false,
      send: (type, object) => { if (!watch.stopped) handlers.event({ type, object }) },
      end: error => { if (!watch.stopped) handlers.end(error) }
    }
    this.watches.push(watch)
    return () => { watch.stopped = true }
  }

  async get (): Promise<KubeObject | undefined> {
    this.#check('get')
    return this.stored
  }

  async create (_kind: unknown, object: KubeObject): Promise<KubeObject> { return this.#write('create', object) }

  async replace (_kind: unknown, object: KubeObject): Promise<KubeObject> {
    this.#check('replace')
    if (object.metadata.resourceVersion !== this.stored?.metadata.resourceVersion) {
      throw new KubeError(409, 'Conflict', 'the object has been modified')
    }
    return this.#store('replace', object)
  }

  async apply (_kind: unknown, object: KubeObject): Promise<KubeObject> { return this.#write('apply', object) }

  async patch (_kind: unknown, namespace: string, name: string, patch: object): Promise<KubeObject> {
    return this.#write('patch', { apiVersion: '', kind: '', metadata: { name, namespace }, ...patch })
  }

  async delete (): Promise<void> {}
  close (): void {}

  #write (verb: string, object: KubeObject): KubeObject {
    this.#check(verb)
    return this.#store(verb, object)
  }

  #store (verb: string, object: KubeObject): KubeObject {
    this.writes.push({ verb, object })
    this.stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
    return this.stored
  }

  #check (verb: string): void {
    const error = this.onCall(verb)
    if (error !== undefined) throw error
  }
}
