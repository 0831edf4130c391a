// The shapes that every Kubernetes object shares, and the few operations on raw JSON that the rest
// of the folder is built from. Objects are kept as raw JSON: nothing here knows a kind.

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject { [field: string]: Json }

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface ManagedFieldsEntry {
  manager: string
  operation: 'Apply' | 'Update'
  apiVersion: string
  time?: string
  fieldsType: 'FieldsV1'
  fieldsV1: JsonObject
  subresource?: string
}

export interface ObjectMeta {
  name: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  managedFields?: ManagedFieldsEntry[]
}

/** One Kubernetes object as JSON. `spec`, `status` and so on are whatever the kind says. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [field: string]: unknown
}

export function isObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Deep copy of JSON data. Faster than structuredClone for small objects. */
export function clone<T> (value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => clone(item)) as T
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) setOwn(copy, key, clone(item as unknown))
  return copy as T
}

/** Sets an own property whatever its name, `__proto__` included. */
export function setOwn (target: object, key: string, value: unknown): void {
  if (key !== '__proto__') {
    (target as Record<string, unknown>)[key] = value
    return
  }
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/** Own property or undefined: `constructor` and the like are never found by accident. */
export function getOwn (target: object, key: string): unknown {
  return Object.hasOwn(target, key) ? (target as Record<string, unknown>)[key] : undefined
}

/** Deep equality of JSON data; the order of an object's fields does not matter. */
export function equal (left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return false
  }
  if (Array.isArray(left) || Array.isArray(right)) {
    return Array.isArray(left) && Array.isArray(right) && left.length === right.length &&
      left.every((item, index) => equal(item, right[index]))
  }
  const keys = Object.keys(left)
  return keys.length === Object.keys(right).length &&
    keys.every(key => Object.hasOwn(right, key) && equal(getOwn(left, key), getOwn(right, key)))
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED'

export interface WatchEvent {
  readonly type: WatchEventType
  /** Shared and frozen in spirit: copy (structuredClone) before changing it. */
  readonly object: KubeObject
}
