// CustomResourceDefinitions: defaults, validation, and the status that says they are served.
import { crdErrors, crdSpec } from '../controllers/crd-types.ts'
import type { KubeObject } from '../object.ts'
import { equal } from '../object.ts'
import type { Strategy } from '../registry/resource.ts'
import { invalidValue } from '../status.ts'
import type { FieldError } from '../status.ts'

interface Condition {
  type: string
  status: string
  reason: string
  message: string
  lastTransitionTime: string
}

/** Keeps it until its objects are deleted. */
export const crdFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

function defaults (crd: KubeObject): void {
  const spec = crdSpec(crd)
  if (spec?.names === undefined) return
  spec.names.singular ??= String(spec.names.kind).toLowerCase()
  spec.names.listKind ??= `${spec.names.kind}List`
  spec.conversion ??= { strategy: 'None' }
}

function condition (type: string, reason: string, message: string, time: string): Condition {
  return { type, status: 'True', reason, message, lastTransitionTime: time }
}

/** Names are accepted and versions served as soon as the definition is stored. */
export function establishedStatus (crd: KubeObject, time: string): Record<string, unknown> {
  const spec = crdSpec(crd)
  const before = crd.status as { conditions?: Condition[], storedVersions?: string[] } | undefined
  const storage = spec.versions.filter(version => version.storage).map(version => version.name)
  return {
    conditions: before?.conditions ?? [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found', time),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted', time)
    ],
    acceptedNames: spec.names,
    storedVersions: [...new Set([...before?.storedVersions ?? [], ...storage])]
  }
}

function validateUpdate (crd: KubeObject, old: KubeObject): FieldError[] {
  const [spec, before] = [crdSpec(crd), crdSpec(old)]
  const errors: FieldError[] = []
  for (const name of ['group', 'scope'] as const) {
    if (spec[name] !== before[name]) errors.push(invalidValue(`spec.${name}`, spec[name], 'field is immutable'))
  }
  for (const name of ['plural', 'kind'] as const) {
    if (!equal(spec.names[name], before.names[name])) {
      errors.push(invalidValue(`spec.names.${name}`, spec.names[name], 'field is immutable'))
    }
  }
  return errors
}

export const crdStrategy: Strategy = {
  defaults,
  prepareCreate (crd) {
    crd.status = establishedStatus(crd, crd.metadata.creationTimestamp ?? '')
  },
  prepareUpdate (crd, old) {
    crd.status = establishedStatus({ ...crd, status: old.status }, crd.metadata.creationTimestamp ?? '')
  },
  markDeleted (crd) {
    crd.metadata.finalizers = [...new Set([...crd.metadata.finalizers ?? [], crdFinalizer])]
  },
  validate: crdErrors,
  validateUpdate
}
