// Namespaces, ConfigMaps, Secrets, RBAC, Leases and Events.
import type { KubeObject } from '../object.ts'
import { equal } from '../object.ts'
import type { Strategy } from '../registry/resource.ts'
import { forbiddenField, invalidValue, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import { at, fill, list, make, text } from './fields.ts'
import type { Dict } from './fields.ts'

const rbacGroup = 'rbac.authorization.k8s.io'

export const namespaceStrategy: Strategy = {
  defaults (namespace) {
    const { metadata } = namespace
    if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
  },
  prepareCreate (namespace) {
    namespace.spec = { finalizers: ['kubernetes'] }
    namespace.status = { phase: 'Active' }
  },
  markDeleted (namespace) { namespace.status = { ...at(namespace, 'status'), phase: 'Terminating' } },
  isHeld (namespace) {
    const { finalizers } = at(namespace, 'spec')
    return Array.isArray(finalizers) && finalizers.length > 0
  }
}

const keyPattern = /^[-._a-zA-Z0-9]+$/

function keyErrors (data: Dict, path: string): FieldError[] {
  const why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or " +
    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
  return Object.keys(data).filter(key => !keyPattern.test(key) || key.length > 253 || /^\.\.?$/.test(key))
    .map(key => invalidValue(`${path}[${key}]`, key, why))
}

/** Data is fixed once `immutable: true` is set, and so is that. */
function immutableErrors (object: KubeObject, old: KubeObject, fields: readonly string[]): FieldError[] {
  if (old.immutable !== true) return []
  const why = 'field is immutable when `immutable` is set'
  return ['immutable', ...fields].filter(name => !equal(object[name], old[name])).map(name => forbiddenField(name, why))
}

export const configMapStrategy: Strategy = {
  validate: map => [...keyErrors(at(map, 'data'), 'data'), ...keyErrors(at(map, 'binaryData'), 'binaryData')],
  validateUpdate: (map, old) => immutableErrors(map, old, ['data', 'binaryData'])
}

export const secretStrategy: Strategy = {
  defaults (secret) {
    fill(secret, 'type', 'Opaque')
    if (secret.stringData === undefined) return
    const data = make(secret, 'data')
    for (const [key, value] of Object.entries(at(secret, 'stringData'))) {
      data[key] = Buffer.from(text(value)).toString('base64')
    }
    delete secret.stringData
  },
  validate: secret => keyErrors(at(secret, 'data'), 'data'),
  validateUpdate (secret, old) {
    const errors = immutableErrors(secret, old, ['data'])
    if (secret.type !== old.type) errors.push(invalidValue('type', secret.type, 'field is immutable'))
    return errors
  }
}

function ruleErrors (role: KubeObject, isNamespaced: boolean): FieldError[] {
  return list(role.rules).flatMap((rule, index): FieldError[] => {
    const path = `rules[${index}]`
    const [groups, resources, urls] = [rule.apiGroups, rule.resources, rule.nonResourceURLs]
      .map(one => Array.isArray(one) ? one.length : 0)
    if (urls !== undefined && urls > 0) {
      return isNamespaced
        ? [invalidValue(`${path}.nonResourceURLs`, rule.nonResourceURLs,
            'namespaced rules cannot apply to non-resource URLs')]
        : []
    }
    const errors: FieldError[] = []
    if (!Array.isArray(rule.verbs) || rule.verbs.length === 0) {
      errors.push(required(`${path}.verbs`, 'verbs must contain at least one value'))
    }
    if (groups === 0) errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
    if (resources === 0) errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'))
    return errors
  })
}

export const roleStrategy: Strategy = { validate: role => ruleErrors(role, true) }
export const clusterRoleStrategy: Strategy = { validate: role => ruleErrors(role, false) }

export const bindingStrategy: Strategy = {
  defaults (binding) {
    fill(make(binding, 'roleRef'), 'apiGroup', rbacGroup)
    for (const subject of list(binding.subjects)) {
      if (subject.kind !== 'ServiceAccount') fill(subject, 'apiGroup', rbacGroup)
    }
  },
  validate: binding => list(binding.subjects).flatMap((subject, index) =>
    subject.kind === 'ServiceAccount' && text(subject.namespace) === ''
      ? [required(`subjects[${index}].namespace`)]
      : []),
  validateUpdate: (binding, old) => equal(binding.roleRef, old.roleRef)
    ? []
    : [invalidValue('roleRef', binding.roleRef, 'cannot change roleRef')]
}

export const leaseStrategy: Strategy = {
  validate (lease) {
    const spec = at(lease, 'spec')
    const errors: FieldError[] = []
    if (typeof spec.leaseDurationSeconds === 'number' && spec.leaseDurationSeconds <= 0) {
      errors.push(invalidValue('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 'must be greater than 0'))
    }
    if (typeof spec.leaseTransitions === 'number' && spec.leaseTransitions < 0) {
      errors.push(invalidValue('spec.leaseTransitions', spec.leaseTransitions, 'must be greater than or equal to 0'))
    }
    return errors
  }
}

/** events.k8s.io/v1 name → core v1 name. The objects are stored as core events. */
const eventFields: [string, string][] = [
  ['regarding', 'involvedObject'], ['note', 'message'], ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'], ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'], ['reportingController', 'reportingComponent']
]

function renamed (object: KubeObject, apiVersion: string, names: ReadonlyMap<string, string>): KubeObject {
  const result: Dict = {}
  for (const [name, value] of Object.entries(object)) result[names.get(name) ?? name] = value
  return { ...result, apiVersion } as unknown as KubeObject
}

const toCore = new Map(eventFields)
const fromCore = new Map(eventFields.map(([modern, core]) => [core, modern]))

function eventNamespaceErrors (event: KubeObject, field: string): FieldError[] {
  const { namespace } = event.metadata
  const about = text(at(event, field).namespace)
  const isRight = about === namespace || (about === '' && namespace === 'default')
  return isRight ? [] : [invalidValue(`${field}.namespace`, about, 'does not match event.namespace')]
}

export const coreEventStrategy: Strategy = {
  validate: event => eventNamespaceErrors(event, 'involvedObject')
}

export const eventStrategy: Strategy = {
  toStorage: event => renamed(event, 'v1', toCore),
  fromStorage: event => renamed(event, 'events.k8s.io/v1', fromCore),
  validate (event) {
    const errors = eventNamespaceErrors(event, 'regarding')
    if (text(event.eventTime) === '' && event.deprecatedFirstTimestamp === undefined) {
      errors.push(required('eventTime'))
    }
    for (const name of ['reportingController', 'reportingInstance', 'action', 'reason']) {
      if (text(event[name]) === '' && event.deprecatedFirstTimestamp === undefined) errors.push(required(name))
    }
    if (event.type !== 'Normal' && event.type !== 'Warning') {
      errors.push(invalidValue('type', event.type ?? '', 'has invalid value: must be Normal or Warning'))
    }
    if (text(event.note).length > 1024) errors.push(invalidValue('message', '', 'can have at most 1024 characters'))
    return errors
  }
}
