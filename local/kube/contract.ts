// What the parts of the embedded Kubernetes API agree on, and what api.ts shows to others.
import type { KubeObject, ObjectMeta, WatchEvent } from './object.ts'
import type { Faults } from './faults.ts'

export type {
  Json, JsonObject, KubeObject, ObjectMeta, OwnerReference, WatchEvent, WatchEventType
} from './object.ts'

/**
 * `plural` for the core group, `plural.group` otherwise: `pods`, `services`, `statefulsets.apps`,
 * `endpointslices.discovery.k8s.io`, `topics.millrace.dev`.
 */
export type ResourceName = string

export interface KubeApiOptions {
  /** Where the state is kept (made if missing). Unset: in memory only, for tests. */
  readonly folder?: string
  /** Port on 127.0.0.1; 0 or unset: a free one. */
  readonly port?: number
  /** Wall clock in milliseconds since 1970; default `Date.now`. */
  readonly clock?: { wallTime (): number }
  /** Changes kept for watches that resume; older ones are answered 410 Gone. Default 10,000. */
  readonly historyEventsMax?: number
  /** Tests only: see faults.ts. */
  readonly faults?: Faults
}

export interface ListOptions {
  readonly namespace?: string
  /** As kubectl's -l: `app=web,tier in (a,b),!canary`. */
  readonly labelSelector?: string
  /** As kubectl's --field-selector: `metadata.name=x,status.phase!=Running`. */
  readonly fieldSelector?: string
}

export interface WriteOptions {
  /** Who owns the written fields in metadata.managedFields; default `millrace-local`. */
  readonly fieldManager?: string
}

export interface DeleteOptions {
  /** Pods: seconds until the runner may kill; 0 removes the object at once. */
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  readonly preconditions?: { readonly uid?: string, readonly resourceVersion?: string }
}

export interface LogOptions {
  readonly container?: string
  readonly follow: boolean
  readonly previous: boolean
  readonly tailLines?: number
  readonly sinceSeconds?: number
  readonly limitBytes?: number
  readonly timestamps: boolean
  /** Aborted when the reader goes away; a following provider must end then. */
  readonly signal: AbortSignal
}

/** Yields the log of a pod's container. Throw an ApiError to answer with it. */
export type LogProvider = (pod: KubeObject, options: LogOptions) => AsyncIterable<string | Uint8Array>

/**
 * A running API server. Errors of all methods are `ApiError`s, as an HTTP client would get them as
 * a Status: `error.code` (404, 409, 422 ...), `error.reason` ('NotFound', 'Conflict', 'Invalid' ...).
 * A promise of a write resolves when the write is on disk (fsync).
 */
export interface KubeApi {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number

  /** All objects, by namespace and name. Sees every accepted write, also those not yet fsynced. */
  list (resource: ResourceName, options?: ListOptions): KubeObject[]
  /** Undefined when there is none. `namespace` is undefined for cluster-scoped kinds. */
  get (resource: ResourceName, namespace: string | undefined, name: string): KubeObject | undefined

  /** apiVersion and kind may be left to the resource; namespace comes from the metadata. */
  create (resource: ResourceName, object: Writable, options?: WriteOptions): Promise<KubeObject>
  /** Replaces all but the status. With metadata.resourceVersion: 409 when another write came first. */
  update (resource: ResourceName, object: Writable, options?: WriteOptions): Promise<KubeObject>
  /** Replaces the status alone (and may change nothing else). */
  updateStatus (resource: ResourceName, object: Writable, options?: WriteOptions): Promise<KubeObject>
  /** JSON merge patch (RFC 7386), also of labels, annotations and finalizers. */
  patch (resource: ResourceName, namespace: string | undefined, name: string, mergePatch: object,
    options?: WriteOptions & { readonly subresource?: 'status' | 'scale' }): Promise<KubeObject>
  /** Resolves with the last state; the object may stay, terminating, while it has finalizers. */
  delete (resource: ResourceName, namespace: string | undefined, name: string,
    options?: DeleteOptions): Promise<KubeObject>

  /**
   * Calls `onEvent` with ADDED for each object there is (before it returns), then with each change
   * once it is fsynced, in order. An object already shown as ADDED is never shown older again.
   * Returns the function that ends it; after that `onEvent` never runs.
   */
  watch (resource: ResourceName, onEvent: (event: WatchEvent) => void): () => void

  /** Registers who answers `kubectl logs`; the last one counts. */
  onLogs (provider: LogProvider): void

  /** Ends watches and connections, writes what is queued. Idempotent. */
  close (): Promise<void>
}

/** An object to write: metadata is checked, the rest is up to the kind's schema. */
export interface Writable {
  apiVersion?: string
  kind?: string
  metadata: { [Field in keyof ObjectMeta]?: ObjectMeta[Field] | undefined }
  [field: string]: unknown
}
