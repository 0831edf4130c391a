// What the simulated Kubernetes API has stored: compare-and-swap with resourceVersions and uids, as
// etcd and the API server keep it. Objects are kept as text, so that nobody shares memory with it.
import { KubeError } from '../../broker/io/ports.ts'
import type { KubeKind, KubeObject } from '../../broker/io/ports.ts'
import type { SimRng } from './rng.ts'

export interface KubeWrite {
  readonly plural: string
  readonly name: string
  /** Undefined: it was created. */
  readonly before: KubeObject | undefined
  /** Undefined: it was removed. */
  readonly after: KubeObject | undefined
  /** The process that asked for it. */
  readonly by: string
}

interface Backup {
  readonly objects: ReadonlyMap<string, string>
  readonly version: number
}

export class KubeStore {
  readonly #rng: SimRng
  #objects = new Map<string, string>()
  #version = 1_000
  /** Called after each write that changed something. */
  onWrite: ((write: KubeWrite) => void) | undefined

  constructor (rng: SimRng) { this.#rng = rng }

  get (kind: KubeKind, name: string): KubeObject | undefined {
    const text = this.#objects.get(id(kind, name))
    return text === undefined ? undefined : JSON.parse(text) as KubeObject
  }

  list (kind: KubeKind, labels: Readonly<Record<string, string>>): KubeObject[] {
    const prefix = id(kind, '')
    return [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).sort()
      .map((key) => JSON.parse(this.#objects.get(key)!) as KubeObject)
      .filter(({ metadata }) => Object.entries(labels).every(([name, value]) => metadata.labels?.[name] === value))
  }

  create (kind: KubeKind, object: KubeObject, by: string): KubeObject {
    const { name } = object.metadata
    if (object.metadata.resourceVersion !== undefined) {
      throw new KubeError('invalid', 422, 'resourceVersion should not be set on objects to be created')
    }
    if (this.get(kind, name) !== undefined) {
      throw new KubeError('exists', 409, `${kind.plural} "${name}" already exists`)
    }
    return this.#put(kind, undefined, { ...object, metadata: { ...object.metadata, uid: this.#rng.hex(16) } }, by)
  }

  replace (kind: KubeKind, object: KubeObject, by: string): KubeObject {
    const { name, uid, resourceVersion } = object.metadata
    const before = this.get(kind, name)
    if (before === undefined) throw new KubeError('not-found', 404, `${kind.plural} "${name}" not found`)
    if (resourceVersion === undefined) throw new KubeError('invalid', 422, 'metadata.resourceVersion must be specified')
    if (resourceVersion !== before.metadata.resourceVersion || (uid !== undefined && uid !== before.metadata.uid)) {
      throw new KubeError('conflict', 409, `${kind.plural} "${name}": the object has been modified`)
    }
    return this.#put(kind, before, { ...object, metadata: { ...object.metadata, uid: before.metadata.uid! } }, by)
  }

  remove (kind: KubeKind, name: string, precondition: { uid: string, resourceVersion: string }, by: string): void {
    const before = this.get(kind, name)
    if (before === undefined) return
    const { uid, resourceVersion } = before.metadata
    if (uid !== precondition.uid || resourceVersion !== precondition.resourceVersion) {
      throw new KubeError('conflict', 409, `${kind.plural} "${name}": the precondition failed`)
    }
    this.erase(kind, name, by)
  }

  /** As a person with kubectl would: no precondition. */
  erase (kind: KubeKind, name: string, by: string): void {
    const before = this.get(kind, name)
    if (before === undefined) return
    this.#version++
    this.#objects.delete(id(kind, name))
    this.onWrite?.({ plural: kind.plural, name, before, after: undefined, by })
  }

  backup (): Backup { return { objects: new Map(this.#objects), version: this.#version } }

  /** Everything is as it was then, resourceVersions too. */
  restore (backup: Backup): void {
    this.#objects = new Map(backup.objects)
    this.#version = backup.version
  }

  #put (kind: KubeKind, before: KubeObject | undefined, object: KubeObject, by: string): KubeObject {
    const resourceVersion = String(++this.#version)
    const text = JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion } })
    this.#objects.set(id(kind, object.metadata.name), text)
    const after = JSON.parse(text) as KubeObject
    this.onWrite?.({ plural: kind.plural, name: object.metadata.name, before, after, by })
    return JSON.parse(text) as KubeObject
  }
}

function id (kind: KubeKind, name: string): string { return `${kind.apiVersion}/${kind.plural}/${name}` }
