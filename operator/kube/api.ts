// The Kubernetes API as the operator uses it: raw JSON, no typed models. http-api.ts is the real one.
import type { Kind, KubeObject } from './types.ts'

/** Who owns the fields that the operator writes (server-side apply). */
export const fieldManager = 'millrace-operator'

/**
 * Reasons that no server sends. After ConnectionBroken and TimedOut the outcome of a write is unknown; after
 * the others it was never sent, or (TooLarge) its answer was not read.
 */
export type TransportReason =
  'CredentialsFailed' | 'ConnectionRefused' | 'ConnectionBroken' | 'TimedOut' | 'TooLarge' | 'NotLeading'

/** Whatever the API server refused, or why it could not be asked. */
export class KubeError extends Error {
  override readonly name = 'KubeError'
  /** HTTP status; 0 when no answer arrived. */
  readonly status: number
  /** metav1.StatusReason (`NotFound`, `Conflict`, `Invalid`, `Expired` ...) or a TransportReason. */
  readonly reason: string
  /** From Retry-After; 0 when there was none. */
  readonly retryAfterMs: number

  constructor (status: number, reason: string, message: string, retryAfterMs = 0, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

export function isKubeError (error: unknown, ...reasons: readonly string[]): error is KubeError {
  return error instanceof KubeError && (reasons.length === 0 || reasons.includes(error.reason))
}

/** Not there, there already, changed meanwhile, too old to watch from: an answer, not a failure of the API. */
export function isEverydayAnswer ({ status }: KubeError): boolean {
  return status === 404 || status === 409 || status === 410
}

export interface Query {
  /** Empty: all namespaces. */
  readonly namespace: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Objects come without spec and status (PartialObjectMetadata). */
  readonly metadataOnly?: boolean
}

export interface ListQuery extends Query {
  readonly limit?: number
  readonly continue?: string
}

export interface KubeList {
  readonly items: KubeObject[]
  readonly resourceVersion: string
  /** Token of the next page; empty on the last one. */
  readonly continue: string
}

export interface WatchQuery extends Query {
  readonly resourceVersion: string
  /** The server ends the watch after this. */
  readonly timeoutSeconds: number
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: KubeObject
}

export interface WatchHandlers {
  event (event: WatchEvent): void
  /** The last call, exactly once unless the watch was stopped by its caller. No error: a clean end. */
  end (error: KubeError | undefined): void
}

export interface DeletePreconditions {
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  /** Pods: 0 does not wait for the kubelet, which on a dead node never answers. */
  readonly gracePeriodSeconds?: number
}

/** Every method rejects with KubeError. Writes answer with the object as stored. */
export interface KubeApi {
  /** Undefined when there is none. */
  get (kind: Kind, namespace: string, name: string): Promise<KubeObject | undefined>
  /** One page. */
  list (kind: Kind, query: ListQuery): Promise<KubeList>
  /** Asks for bookmarks. Answers the function that stops it; afterwards no handler is called. */
  watch (kind: Kind, query: WatchQuery, handlers: WatchHandlers): () => void
  create (kind: Kind, object: KubeObject): Promise<KubeObject>
  /** Compare-and-swap: needs metadata.resourceVersion. */
  replace (kind: Kind, object: KubeObject): Promise<KubeObject>
  /** Server-side apply, forced, as `fieldManager`: the object holds what the operator owns, no more. */
  apply (kind: Kind, object: KubeObject, subresource?: 'status'): Promise<KubeObject>
  /** JSON merge patch (RFC 7386). metadata.resourceVersion in it is a precondition. */
  patch (kind: Kind, namespace: string, name: string, patch: object): Promise<KubeObject>
  /** Resolves when the object is gone or going; also when there was none. */
  delete (kind: Kind, namespace: string, name: string, preconditions?: DeletePreconditions): Promise<void>
  /** Ends watches and idle connections. */
  close (): void
}
