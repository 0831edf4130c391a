// The copies of one kind from several namespaces, as one. A Role per namespace allows no list of all of them.
import { Reflector, type ChangeHandler, type ReflectorOptions } from './reflector.ts'
import { keyOf, splitKey, type Kind, type KubeObject } from './types.ts'

export interface ReflectorsOptions<T extends KubeObject> extends Omit<ReflectorOptions<T>, 'query'> {
  /** Empty: all. */
  readonly namespaces: readonly string[]
  readonly labelSelector?: string
  readonly metadataOnly?: boolean
}

export class Reflectors<T extends KubeObject> {
  readonly kind: Kind
  readonly #each: ReadonlyMap<string, Reflector<T>>

  constructor ({ namespaces, labelSelector, metadataOnly, ...options }: ReflectorsOptions<T>) {
    this.kind = options.kind
    const places = namespaces.length === 0 ? [''] : [...new Set(namespaces)]
    this.#each = new Map(places.map(namespace => [namespace, new Reflector<T>({
      ...options,
      query: {
        namespace,
        ...labelSelector !== undefined && { labelSelector },
        ...metadataOnly !== undefined && { metadataOnly }
      }
    })]))
  }

  start (): void { for (const each of this.#all) each.start() }
  stop (): void { for (const each of this.#all) each.stop() }
  retrySoon (): void { for (const each of this.#all) each.retrySoon() }

  /** Resolves once the first list of every namespace is in. */
  get synced (): Promise<void> { return Promise.all(this.#all.map(async each => { await each.synced })).then(() => {}) }
  /** Resolves once every namespace has been read, or refused to be. */
  get answered (): Promise<void> {
    return Promise.all(this.#all.map(async each => { await each.answered })).then(() => {})
  }

  /** Of one namespace, or of all where all are watched. */
  in (namespace: string): Pick<Reflector<T>, 'synced' | 'isSynced' | 'isRefused'> | undefined {
    return this.#each.get('') ?? this.#each.get(namespace)
  }

  get isSynced (): boolean { return this.#all.every(({ isSynced }) => isSynced) }
  get size (): number { return this.#all.reduce((sum, { size }) => sum + size, 0) }
  get restarts (): number { return this.#all.reduce((sum, { restarts }) => sum + restarts, 0) }
  /** Of the one that was silent longest. */
  get silenceMs (): number { return Math.max(...this.#all.map(({ silenceMs }) => silenceMs)) }

  get (key: string): T | undefined { return this.#of(key)?.get(key) }

  * values (): IterableIterator<T> {
    for (const each of this.#all) yield * each.values()
  }

  onChange (handler: ChangeHandler<T>): void { for (const each of this.#all) each.onChange(handler) }
  /** See Reflector. An object of a namespace that is not watched is nobody's. */
  observe (object: KubeObject): void { this.#of(keyOf(object))?.observe(object) }
  observeDeleted (object: KubeObject): void { this.#of(keyOf(object))?.observeDeleted(object) }

  get #all (): readonly Reflector<T>[] { return [...this.#each.values()] }

  #of (key: string): Reflector<T> | undefined {
    return this.#each.get('') ?? this.#each.get(splitKey(key).namespace)
  }
}
