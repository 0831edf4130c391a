// Disk and Kubernetes as core code sees them (time, chance and the network: wire/ports.ts). Real adapters
// are in adapters/, simulated ones in test/sim/; both pass the conformance suites in test/broker/io/.

/**
 * One volume. Paths are relative to its root, with '/' between names, never beginning with '/' or
 * holding '..'. What is not fsynced may be lost or torn by a crash, in any order.
 */
export interface Disk {
  /** Opens an existing file; rejects with DiskError 'not-found'. */
  open (path: string): Promise<DiskFile>
  /** Makes an empty file; rejects with 'exists'. Durable only after syncFolder of its folder. */
  create (path: string): Promise<DiskFile>
  /** Whole contents; rejects with 'not-found', or 'too-large' beyond bytesMax. */
  read (path: string, bytesMax: number): Promise<Uint8Array>
  /** Names in a folder in sorted order; empty for a folder that is not there. */
  list (path: string): Promise<DiskEntry[]>
  /** Makes the folder and its parents; nothing happens when it is there. */
  mkdir (path: string): Promise<void>
  /** Atomic replacement of `to`. Durable only after syncFolder. Works for folders too. */
  rename (from: string, to: string): Promise<void>
  /** Removes a file or an empty folder; nothing happens when it is not there. */
  remove (path: string): Promise<void>
  /** fsync of a folder: creations, renames and removals in it are durable afterwards. */
  syncFolder (path: string): Promise<void>
  /** Bytes that this process may still use, and bytes of the whole volume. */
  space (): Promise<DiskSpace>
}

export interface DiskSpace {
  readonly freeBytes: number
  readonly sizeBytes: number
}

export interface DiskEntry {
  readonly name: string
  readonly folder: boolean
}

export interface DiskFile {
  /** Bytes, as known to this process. */
  readonly size: number
  /** Fills `target` from `position`; resolves to the bytes read, fewer only at the end of the file. */
  read (target: Uint8Array, position: number): Promise<number>
  /**
   * Writes all of `parts`, one after the other, at `position`; grows the file when needed. The parts
   * must not change before it resolves. A rejection may have written any of it.
   */
  write (parts: readonly Uint8Array[], position: number): Promise<void>
  /** Data and size are durable when it resolves. After a rejection the file must not be trusted. */
  sync (): Promise<void>
  truncate (size: number): Promise<void>
  /** Idempotent. */
  close (): Promise<void>
}

export type DiskErrorKind = 'not-found' | 'exists' | 'too-large' | 'no-space' | 'io'

/** An operating error of the disk. 'io' and a failed sync are final for the volume. */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly kind: DiskErrorKind

  constructor (kind: DiskErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

export interface KubeKind {
  /** 'millrace.dev/v1alpha1', 'coordination.k8s.io/v1'. */
  readonly apiVersion: string
  /** 'partitiontables'. */
  readonly plural: string
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly [field: string]: unknown
  }
  readonly [field: string]: unknown
}

/** Two of one name that are equal are the same object, unchanged. */
export interface KubeVersion {
  readonly uid: string
  readonly resourceVersion: string
}

/**
 * The Kubernetes API in this broker's namespace: quorum reads and compare-and-swap writes only. Every
 * method rejects with KubeError.
 */
export interface Kube {
  /** Undefined when there is no such object. */
  get (kind: KubeKind, name: string): Promise<KubeObject | undefined>
  /** All objects with these labels, in order of name. */
  list (kind: KubeKind, labels: Readonly<Record<string, string>>): Promise<KubeObject[]>
  /** Which version is stored of each object with these labels, by name: no object is sent. */
  versions (kind: KubeKind, labels: Readonly<Record<string, string>>): Promise<Map<string, KubeVersion>>
  /** Resolves to the object as stored; rejects with 'exists'. */
  create (kind: KubeKind, object: KubeObject): Promise<KubeObject>
  /** Needs metadata.resourceVersion (and uid, if set, must match); rejects with 'conflict'. */
  replace (kind: KubeKind, object: KubeObject): Promise<KubeObject>
  /** Only the object with this uid and resourceVersion; rejects with 'conflict'. Gone already: resolves. */
  remove (kind: KubeKind, name: string, precondition: { uid: string, resourceVersion: string }): Promise<void>
}

/** 'unknown': the request may or may not have been carried out (reply lost, timeout, 5xx). */
export type KubeErrorKind = 'conflict' | 'exists' | 'not-found' | 'refused' | 'invalid' | 'unavailable' | 'unknown'

export class KubeError extends Error {
  override readonly name = 'KubeError'
  readonly kind: KubeErrorKind
  /** HTTP status, 0 when none arrived. */
  readonly status: number
  /** From Retry-After, 0 when there was none. */
  readonly retryAfterMs: number

  constructor (kind: KubeErrorKind, status: number, message: string, retryAfterMs = 0) {
    super(message)
    this.kind = kind
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** Structured log, as pino's: fields first, then the message. */
export interface Log {
  debug (fields: object, message: string): void
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}
