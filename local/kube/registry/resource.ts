// One served resource in one version: what discovery, validation, storage and printing know of it.
import type { JsonObject, KubeObject } from '../object.ts'
import { clone, equal } from '../object.ts'
import type { CelRules } from '../schema/cel.ts'
import { applyDefaults, prune } from '../schema/prune.ts'
import type { Schema } from '../schema/schema.ts'
import type { FieldError } from '../status.ts'

export interface Column {
  readonly name: string
  readonly type: string
  readonly format?: string
  readonly description?: string
  /** 0: always shown; 1: with `-o wide`. */
  readonly priority: number
  /** The cell; null prints as <none> or empty, as kubectl likes. */
  value (object: KubeObject, now: number): string | number | boolean | null
}

export interface ScalePaths {
  readonly spec: string
  readonly status: string
  readonly selector?: string
}

/** What Go code does for a kind beyond its schema. All hooks work on copies that they may change. */
export interface Strategy {
  /** Fills in what the server would. */
  defaults? (object: KubeObject): void
  /** Before a create is validated: fields that only the server sets. */
  prepareCreate? (object: KubeObject): void
  prepareUpdate? (object: KubeObject, old: KubeObject): void
  validate? (object: KubeObject): FieldError[]
  validateUpdate? (object: KubeObject, old: KubeObject): FieldError[]
  /** A delete has been accepted: what else changes. */
  markDeleted? (object: KubeObject): void
  /** Something other than metadata.finalizers keeps a deleted object. */
  isHeld? (object: KubeObject): boolean
  /** Seconds between delete and removal when the request does not say; 0 without this hook. */
  gracePeriodSeconds? (object: KubeObject): number
  /** To and from the shape of the resource that stores the objects. */
  toStorage? (object: KubeObject): KubeObject
  fromStorage? (object: KubeObject): KubeObject
}

export type NameRule = 'subdomain' | 'label' | 'label1035' | 'path'

export interface ResourceType {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  /** Where its objects are kept; the same for all versions. */
  readonly table: string
  /** apiVersion of the stored objects. */
  readonly storageApiVersion: string
  /** Of the whole object. */
  readonly schema: Schema
  readonly custom: boolean
  /** The version that clients should use when several are served. */
  readonly preferred: boolean
  readonly hasStatus: boolean
  readonly scale?: ScalePaths
  readonly columns: readonly Column[]
  readonly nameRule: NameRule
  /** Field selectors beyond metadata.name and metadata.namespace, as paths. */
  readonly selectableFields: readonly string[]
  readonly strategy: Strategy
  readonly rules?: CelRules
  /** Name in builtin/schema.json. */
  readonly definition?: string
}

export function apiVersionOf (type: { group: string, version: string }): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`
}

/** Stored objects as a type shows them; a definition that changes makes a new type. */
const presented = new WeakMap<ResourceType, WeakMap<KubeObject, KubeObject>>()

/** An object as its stored version has it, in the version of `type`. */
export function present (type: ResourceType, stored: KubeObject): KubeObject {
  if (type.strategy.fromStorage !== undefined) return type.strategy.fromStorage(stored)
  if (!type.custom) return stored
  let known = presented.get(type)
  if (known === undefined) presented.set(type, known = new WeakMap())
  let object = known.get(stored)
  if (object === undefined) known.set(stored, object = presentCustom(type, stored))
  return object
}

/** Objects older than their definition get its new defaults, and lose what it no longer declares. */
function presentCustom (type: ResourceType, stored: KubeObject): KubeObject {
  const { metadata, ...content } = stored
  const shown = { ...clone(content), apiVersion: apiVersionOf(type) } as unknown as JsonObject
  prune(shown, type.schema, '', [], true)
  applyDefaults(shown, type.schema)
  return equal(shown, content) ? stored : { ...shown, metadata } as unknown as KubeObject
}

export function toStorage (type: ResourceType, object: KubeObject): KubeObject {
  if (type.strategy.toStorage !== undefined) return type.strategy.toStorage(object)
  return object.apiVersion === type.storageApiVersion
    ? object
    : { ...object, apiVersion: type.storageApiVersion }
}

/** A deleted object that nothing keeps any more. */
export function isGone (type: ResourceType, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata
  return deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) === 0 &&
    (finalizers?.length ?? 0) === 0 && type.strategy.isHeld?.(object) !== true
}
