// Every write goes through here: create, update (of the whole, the status or the scale), patches and
// applies as functions from the live object to the wanted one. Synchronous from reading the live
// object to committing the new one, so that no other write comes between.
import { randomInt, randomUUID } from 'node:crypto'
import { trackApply, trackUpdate } from '../apply/managed.ts'
import { requiredErrors } from '../builtin/required.ts'
import type { Json, JsonObject, KubeObject } from '../object.ts'
import { clone, equal, isObject } from '../object.ts'
import { celErrors } from '../schema/cel.ts'
import { formatTime } from '../schema/time.ts'
import { listTypeErrors, validate } from '../schema/validate.ts'
import {
  ApiError, alreadyExists, badRequest, conflict, forbidden, invalid, invalidValue, notFound, staleWrite
} from '../status.ts'
import type { FieldError } from '../status.ts'
import { keyOf } from '../storage/store.ts'
import type { Store } from '../storage/store.ts'
import { admit, fillDefaults } from './codec.ts'
import type { WriteContext } from './codec.ts'
import { metadataErrors, metadataUpdateErrors } from './metadata.ts'
import type { ResourceType } from './resource.ts'
import { isGone, present, toStorage } from './resource.ts'

export interface Target {
  readonly type: ResourceType
  readonly namespace: string | undefined
  readonly name: string
  readonly subresource?: 'status' | 'scale' | undefined
}

const generateAlphabet = 'bcdfghjklmnpqrstvwxz2456789'
const fieldManagerCharactersMax = 128

/** Errors after which a real server does not go on to run CEL rules. */
const blocking = new Set(['FieldValueRequired', 'FieldValueNotSupported', 'FieldValueTooLong',
  'FieldValueTooMany', 'FieldValueTypeInvalid'])

export class Writer {
  readonly #store: Store
  readonly #now: () => number
  readonly #onDefinition: (crd: KubeObject) => void

  /** `onDefinition` hears of each written CustomResourceDefinition in the same turn. */
  constructor (store: Store, now: () => number, onDefinition: (crd: KubeObject) => void) {
    this.#store = store
    this.#now = now
    this.#onDefinition = onDefinition
  }

  /** The object in the version of its type; throws 404. */
  live ({ type, namespace, name }: Target): KubeObject {
    const stored = this.#store.get(type.table, keyOf(namespace, name))
    if (stored === undefined) throw notFound(type, name)
    return present(type, stored)
  }

  find ({ type, namespace, name }: Target): KubeObject | undefined {
    const stored = this.#store.get(type.table, keyOf(namespace, name))
    return stored === undefined ? undefined : present(type, stored)
  }

  /** POST. `raw` may be changed. */
  create (type: ResourceType, namespace: string | undefined, raw: unknown,
    context: WriteContext): KubeObject {
    const object = admit(type, raw, context)
    return this.#insert(type, namespace, object, context, false)
  }

  #insert (type: ResourceType, namespace: string | undefined, object: KubeObject,
    context: WriteContext, isApply: boolean): KubeObject {
    const meta = object.metadata
    checkNamespace(namespace, meta.namespace)
    if (namespace !== undefined) meta.namespace = namespace
    else delete meta.namespace
    if (meta.resourceVersion !== undefined && meta.resourceVersion !== '') {
      throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created')
    }
    this.#nameIt(type, object)
    this.#checkNamespaceTakes(type, object)
    meta.uid = randomUUID()
    meta.creationTimestamp = formatTime(this.#now())
    delete meta.deletionTimestamp
    delete meta.deletionGracePeriodSeconds
    delete meta.resourceVersion
    if (hasGeneration(type)) meta.generation = 1
    else delete meta.generation
    if (type.hasStatus) delete object.status
    // What the server itself fills in from here on belongs to nobody.
    if (!isApply) {
      meta.managedFields = trackUpdate(type, undefined, object, context.fieldManager, undefined, this.#now())
    }
    warnOfFinalizers(object, context)
    type.strategy.prepareCreate?.(object)
    fillDefaults(type, object)
    tidy(object)
    this.#validate(type, object, undefined)
    const key = keyOf(namespace, meta.name)
    if (this.#store.get(type.table, key) !== undefined) throw alreadyExists(type, meta.name)
    if (context.dryRun) return object
    return this.#put(type, key, object)
  }

  #put (type: ResourceType, key: string, object: KubeObject): KubeObject {
    const stored = this.#store.put(type.table, key, toStorage(type, object))
    if (type.kind === 'CustomResourceDefinition' && !type.custom) this.#onDefinition(stored)
    return present(type, stored)
  }

  #nameIt (type: ResourceType, object: KubeObject): void {
    const meta = object.metadata
    if (meta.name || !meta.generateName) return
    const base = meta.generateName.slice(0, 58)
    for (let attempt = 0; attempt < 8; attempt++) {
      let suffix = ''
      for (let at = 0; at < 5; at++) suffix += generateAlphabet[randomInt(generateAlphabet.length)] ?? ''
      meta.name = base + suffix
      if (this.#store.get(type.table, keyOf(meta.namespace, meta.name)) === undefined) return
    }
  }

  /** A namespace must be there, and not be on its way out. */
  #checkNamespaceTakes (type: ResourceType, object: KubeObject): void {
    const namespace = object.metadata.namespace
    if (namespace === undefined) return
    const stored = this.#store.get('namespaces', keyOf(undefined, namespace))
    if (stored === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace)
    if (stored.metadata.deletionTimestamp === undefined) return
    const error = forbidden(type, object.metadata.name,
      `unable to create new content in namespace ${namespace} because it is being terminated`)
    const message = `namespace ${namespace} is being terminated`
    const causes = [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }]
    throw new ApiError(error.code, error.reason, error.message, { ...error.details, causes })
  }

  /** PUT. `raw` may be changed. */
  update (target: Target, raw: unknown, context: WriteContext): KubeObject {
    const live = this.live(target)
    const wanted = admit(target.type, raw, context)
    checkName(target, wanted)
    if (target.type.custom && !wanted.metadata.resourceVersion) {
      throw invalid(target.type.group, target.type.plural, target.name, [{
        reason: 'FieldValueInvalid',
        field: 'metadata.resourceVersion',
        message: 'Invalid value: 0: must be specified for an update'
      }])
    }
    return this.#replace(target, live, wanted, context)
  }

  /** PATCH: `change` makes the wanted object of a copy of the live one. */
  patch (target: Target, change: (live: JsonObject) => unknown, context: WriteContext): KubeObject {
    const live = this.live(target)
    const changed = change(clone(live) as unknown as JsonObject)
    return this.#replace(target, live, admit(target.type, changed, context, target.name), context)
  }

  /** Server-side apply; makes the object when there is none. */
  apply (target: Target, config: unknown, force: boolean, context: WriteContext): KubeObject {
    const { type, namespace, name } = target
    const live = this.find(target)
    if (live === undefined && target.subresource !== undefined) throw notFound(type, name)
    const { object, managedFields } = trackApply(type, live, config, {
      manager: context.fieldManager, force, now: this.#now(), subresource: target.subresource
    })
    if (context.fieldManager === 'kubectl') refreshLastApplied(object, config)
    const wanted = admit(type, object, context, live === undefined ? undefined : name)
    wanted.metadata.managedFields = managedFields
    if (live === undefined) return this.#insert(type, namespace, wanted, context, true)
    return this.#replace(target, live, wanted, context, true)
  }

  #replace (target: Target, live: KubeObject, wanted: KubeObject, context: WriteContext,
    isApply = false): KubeObject {
    const { type, name } = target
    checkIdentity(target, live, wanted)
    const next = merged(target, live, wanted)
    if (!isApply) {
      next.metadata.managedFields =
        trackUpdate(type, live, next, context.fieldManager, target.subresource, this.#now())
    }
    type.strategy.prepareUpdate?.(next, live)
    if (hasGeneration(type) && contentChanged(type, live, next)) {
      next.metadata.generation = (live.metadata.generation ?? 0) + 1
    }
    tidy(next)
    this.#validate(type, next, live)
    if (sameButTimes(next, live)) return live
    if (context.dryRun) return next
    const key = keyOf(target.namespace, name)
    // The last finalizer went: so does the object, with no event but DELETED.
    if (isGone(type, next)) {
      this.#store.remove(type.table, key)
      return next
    }
    return this.#put(type, key, next)
  }

  #validate (type: ResourceType, object: KubeObject, old: KubeObject | undefined): void {
    const errors: FieldError[] = old === undefined
      ? metadataErrors(type, object)
      : [...metadataErrors(type, object), ...metadataUpdateErrors(object, old)]
    if (type.custom) errors.push(...customErrors(type, object, old))
    else errors.push(...requiredErrors(object as unknown as Json, type.schema))
    errors.push(...type.strategy.validate?.(object) ?? [])
    if (old !== undefined) errors.push(...type.strategy.validateUpdate?.(object, old) ?? [])
    if (errors.length > 0) throw invalid(type.group, type.kind, object.metadata.name, errors)
  }
}

function customErrors (type: ResourceType, object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { metadata, ...content } = object
  const { metadata: _metadata, ...before } = old ?? { metadata }
  const schemaErrors = validate(content as JsonObject, type.schema, '',
    old === undefined ? undefined : before as JsonObject)
  const errors = [...schemaErrors, ...listTypeErrors(content as JsonObject, type.schema, '')]
    .filter(error => !(error.reason === 'FieldValueRequired' && error.field === 'metadata'))
  if (metadata === undefined || type.rules === undefined) return errors
  if (errors.some(error => blocking.has(error.reason))) {
    return [...errors, invalidValue('<nil>', null, 'some validation rules were not checked because ' +
      'the object was invalid; correct the existing errors to complete validation')]
  }
  return [...errors, ...celErrors(type.rules, object, old)]
}

const standardFinalizers = new Set(['foregroundDeletion', 'orphan', 'kubernetes'])

function warnOfFinalizers (object: KubeObject, context: WriteContext): void {
  for (const finalizer of object.metadata.finalizers ?? []) {
    if (finalizer.includes('/') || standardFinalizers.has(finalizer)) continue
    context.warnings.push(`metadata.finalizers: ${JSON.stringify(finalizer)}: prefer a domain-qualified ` +
      'finalizer name to avoid accidental conflicts with other finalizer writers')
  }
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** kubectl's own annotation follows a server-side apply by kubectl, as on a real server. */
function refreshLastApplied (object: JsonObject, config: unknown): void {
  const annotations = isObject(object.metadata) ? object.metadata.annotations : undefined
  if (isObject(annotations) && annotations[lastApplied] !== undefined) {
    annotations[lastApplied] = JSON.stringify(config) + '\n'
  }
}

function checkNamespace (wanted: string | undefined, given: string | undefined): void {
  if (given === undefined || given === '' || given === wanted) return
  throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
}

function checkName ({ namespace, name }: Target, wanted: KubeObject): void {
  const meta = wanted.metadata
  if (meta.name !== undefined && meta.name !== '' && meta.name !== name) {
    throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${name})`)
  }
  checkNamespace(namespace, meta.namespace)
}

function checkIdentity (target: Target, live: KubeObject, wanted: KubeObject): void {
  const { type, name } = target
  const meta = wanted.metadata
  checkName(target, wanted)
  if (meta.uid !== undefined && meta.uid !== '' && meta.uid !== live.metadata.uid) {
    throw conflict(type, name, `Precondition failed: UID in precondition: ${meta.uid}, ` +
      `UID in object meta: ${live.metadata.uid}`)
  }
  if (meta.resourceVersion !== undefined && meta.resourceVersion !== '' &&
      meta.resourceVersion !== live.metadata.resourceVersion) {
    throw conflict(type, name, staleWrite)
  }
}

/** The next object: what the request may change from `wanted`, all else from `live`. */
function merged (target: Target, live: KubeObject, wanted: KubeObject): KubeObject {
  const { type } = target
  if (target.subresource === 'status') {
    const next: KubeObject = { ...live, metadata: { ...live.metadata } }
    if (wanted.metadata.managedFields !== undefined) {
      next.metadata.managedFields = wanted.metadata.managedFields
    }
    if (wanted.status === undefined) delete next.status
    else next.status = wanted.status
    return next
  }
  const meta = {
    ...wanted.metadata,
    name: target.name,
    generation: live.metadata.generation,
    resourceVersion: live.metadata.resourceVersion,
    uid: live.metadata.uid,
    creationTimestamp: live.metadata.creationTimestamp,
    deletionTimestamp: live.metadata.deletionTimestamp,
    deletionGracePeriodSeconds: live.metadata.deletionGracePeriodSeconds,
    namespace: target.namespace
  }
  const next = { ...wanted, metadata: meta } as KubeObject
  if (type.hasStatus) {
    if (live.status === undefined) delete next.status
    else next.status = live.status
  }
  return next
}

/** Kinds whose Go code keeps metadata.generation. */
const generationKinds = new Set(['pods', 'deployments.apps', 'replicasets.apps', 'statefulsets.apps',
  'poddisruptionbudgets.policy', 'networkpolicies.networking.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io', 'endpointslices.discovery.k8s.io'])

function hasGeneration (type: ResourceType): boolean {
  return type.custom || generationKinds.has(type.table)
}

function contentChanged (type: ResourceType, live: KubeObject, next: KubeObject): boolean {
  if (!type.custom) return !equal(live.spec, next.spec)
  const content = ({ metadata: _metadata, status, ...rest }: KubeObject): unknown =>
    type.hasStatus ? rest : { ...rest, status }
  return !equal(content(live), content(next))
}

/** Empty and undefined metadata fields are left out, as Go's omitempty does. */
function tidy (object: KubeObject): void {
  const meta = object.metadata as unknown as JsonObject
  for (const [name, value] of Object.entries(meta)) {
    const isEmpty = value === undefined || value === null || value === '' ||
      (Array.isArray(value) && value.length === 0) ||
      (typeof value === 'object' && Object.keys(value).length === 0)
    if (isEmpty) delete meta[name]
  }
}

/** Managed fields' times do not make a write: nothing changed then. */
function sameButTimes (next: KubeObject, live: KubeObject): boolean {
  const timeless = (object: KubeObject): unknown => ({
    ...object,
    metadata: {
      ...object.metadata,
      managedFields: object.metadata.managedFields?.map(({ time: _time, ...entry }) => entry)
    }
  })
  return equal(timeless(next), timeless(live))
}

export function checkFieldManager (manager: string): void {
  if (manager.length > fieldManagerCharactersMax) {
    throw new ApiError(422, 'Invalid', 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too ' +
      `long: may not be more than ${fieldManagerCharactersMax} bytes`)
  }
}
