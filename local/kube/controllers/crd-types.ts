// From a CustomResourceDefinition to the resources that it makes, and what is wrong with one that
// makes none.
import type { JsonObject, KubeObject } from '../object.ts'
import { isObject } from '../object.ts'
import { isLabel, isSubdomain, label1035Text, nameErrors } from '../registry/metadata.ts'
import type { ResourceType } from '../registry/resource.ts'
import { compileRules } from '../schema/cel.ts'
import { structuralErrors } from '../schema/structural.ts'
import type { Schema } from '../schema/schema.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import { parseJsonPath } from '../table/json-path.ts'
import { columnsOf } from '../table/table.ts'
import type { PrinterColumn } from '../table/table.ts'

interface CrdNames {
  plural: string
  singular?: string
  kind: string
  listKind?: string
  shortNames?: string[]
  categories?: string[]
}

interface CrdVersion {
  name: string
  served: boolean
  storage: boolean
  schema?: { openAPIV3Schema?: Schema }
  subresources?: {
    status?: JsonObject
    scale?: { specReplicasPath: string, statusReplicasPath: string, labelSelectorPath?: string }
  }
  additionalPrinterColumns?: PrinterColumn[]
  selectableFields?: { jsonPath: string }[]
  deprecated?: boolean
}

export interface CrdSpec {
  group: string
  names: CrdNames
  scope: string
  versions: CrdVersion[]
  conversion?: { strategy: string }
  preserveUnknownFields?: boolean
}

export function crdSpec (crd: KubeObject): CrdSpec {
  return crd.spec as CrdSpec
}

/** The resources of a valid definition, the storage version first among its served ones. */
export function customTypes (crd: KubeObject): ResourceType[] {
  const spec = crdSpec(crd)
  const storage = spec.versions.find(version => version.storage)
  const served = spec.versions.filter(version => version.served)
  const preferred = preferredVersion(served.map(version => version.name))
  return served.map((version): ResourceType => {
    const schema = version.schema?.openAPIV3Schema ?? { type: 'object' }
    const { rules } = compileRules(schema, '')
    const scale = version.subresources?.scale
    return {
      group: spec.group,
      version: version.name,
      kind: spec.names.kind,
      plural: spec.names.plural,
      singular: spec.names.singular ?? spec.names.kind.toLowerCase(),
      namespaced: spec.scope === 'Namespaced',
      shortNames: spec.names.shortNames ?? [],
      categories: spec.names.categories ?? [],
      table: `${spec.names.plural}.${spec.group}`,
      storageApiVersion: `${spec.group}/${storage?.name ?? version.name}`,
      schema,
      custom: true,
      preferred: version.name === preferred,
      hasStatus: version.subresources?.status !== undefined,
      ...scale !== undefined && {
        scale: {
          spec: scale.specReplicasPath,
          status: scale.statusReplicasPath,
          ...scale.labelSelectorPath !== undefined && { selector: scale.labelSelectorPath }
        }
      },
      columns: columnsOf(version.additionalPrinterColumns),
      nameRule: 'subdomain',
      selectableFields: (version.selectableFields ?? []).map(field => field.jsonPath.replace(/^\./, '')),
      strategy: {},
      ...rules !== undefined && { rules }
    }
  })
}

const stability: Record<string, number> = { alpha: 0, beta: 1, '': 2 }

/** v2 before v1 before v1beta2 before v1alpha1, and those before anything else. */
function preferredVersion (names: readonly string[]): string | undefined {
  const rank = (name: string): number[] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(name)
    return match === null ? [-1, 0, 0] : [stability[match[2] ?? ''] ?? 0, Number(match[1]), Number(match[3] ?? 0)]
  }
  return names.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)]
    for (let at = 0; at < 3; at++) {
      const order = (right[at] ?? 0) - (left[at] ?? 0)
      if (order !== 0) return order
    }
    return a < b ? -1 : 1
  })[0]
}

function namesErrors (spec: CrdSpec): FieldError[] {
  const errors: FieldError[] = []
  const { names } = spec
  const label = (field: string, value: string | undefined): void => {
    if (value !== undefined && !/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value)) {
      errors.push(...nameErrors(value, 'label1035', `spec.names.${field}`))
    }
  }
  label('plural', names.plural)
  label('singular', names.singular)
  names.shortNames?.forEach((name, at) => { label(`shortNames[${at}]`, name) })
  names.categories?.forEach((name, at) => { label(`categories[${at}]`, name) })
  if (names.kind === '' || !isLabel(names.kind.toLowerCase())) {
    errors.push(invalidValue('spec.names.kind', names.kind,
      `may have mixed case, but should otherwise match: ${label1035Text}`))
  }
  return errors
}

/**
 * `path` is that of the version. Errors of a definition with one schema for all versions name
 * `spec.validation` and so on, where a real server keeps what all versions share.
 */
function versionErrors (version: CrdVersion, path: string, isShared: boolean): FieldError[] {
  const errors: FieldError[] = []
  const part = (name: string): string => isShared ? `spec.${name}` : `${path}.${name}`
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(version.name)) {
    errors.push(...nameErrors(version.name, 'label1035', `${path}.name`))
  }
  const schema = version.schema?.openAPIV3Schema
  const schemaPath = isShared ? 'spec.validation.openAPIV3Schema' : `${path}.schema.openAPIV3Schema`
  if (schema === undefined) {
    errors.push(required(`${path}.schema.openAPIV3Schema`))
  } else {
    const structural = structuralErrors(schema, schemaPath)
    errors.push(...structural)
    if (structural.length === 0) errors.push(...compileRules(schema, schemaPath).errors)
  }
  version.additionalPrinterColumns?.forEach((column, at) => {
    const field = part(`additionalPrinterColumns[${at}]`)
    if (!['integer', 'number', 'string', 'boolean', 'date'].includes(column.type)) {
      errors.push(invalidValue(`${field}.type`, column.type, 'must be one of boolean,date,integer,number,string'))
    }
    if (!column.jsonPath.startsWith('.') || parseJsonPath(column.jsonPath) === undefined) {
      errors.push(invalidValue(`${field}.JSONPath`, column.jsonPath, 'must be a simple json path starting with .'))
    }
  })
  const scale = version.subresources?.scale
  if (scale !== undefined) errors.push(...scaleErrors(scale, part('subresources.scale')))
  return errors
}

function scaleErrors (scale: { specReplicasPath: string, statusReplicasPath: string, labelSelectorPath?: string },
  path: string): FieldError[] {
  const errors: FieldError[] = []
  const check = (field: string, value: string | undefined, prefix: string): void => {
    if (value === undefined || value === '') errors.push(required(`${path}.${field}`))
    else if (!/^(\.[A-Za-z_][\w-]*)+$/.test(value)) {
      errors.push(invalidValue(`${path}.${field}`, value, 'must be a simple json path starting with .'))
    } else if (!value.startsWith(prefix)) {
      errors.push(invalidValue(`${path}.${field}`, value, `should be a json path under ${prefix.slice(0, -1)}`))
    }
  }
  check('specReplicasPath', scale.specReplicasPath, '.spec.')
  check('statusReplicasPath', scale.statusReplicasPath, '.status.')
  if (scale.labelSelectorPath !== undefined) {
    check('labelSelectorPath', scale.labelSelectorPath,
      scale.labelSelectorPath.startsWith('.spec.') ? '.spec.' : '.status.')
  }
  return errors
}

/** Everything that keeps a CustomResourceDefinition from being served. */
export function crdErrors (crd: KubeObject): FieldError[] {
  const spec = crdSpec(crd)
  if (!isObject(spec) || !isObject(spec.names) || !Array.isArray(spec.versions)) return [required('spec')]
  const errors: FieldError[] = []
  const wanted = `${spec.names.plural}.${spec.group}`
  if (crd.metadata.name !== wanted) {
    errors.push(invalidValue('metadata.name', crd.metadata.name, 'must be spec.names.plural+"."+spec.group'))
  }
  if (!spec.group.includes('.') || !isSubdomain(spec.group)) {
    errors.push(invalidValue('spec.group', spec.group, 'should be a domain with at least one dot'))
  }
  errors.push(...namesErrors(spec))
  if (!['Namespaced', 'Cluster'].includes(spec.scope)) {
    errors.push(notSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']))
  }
  if (spec.preserveUnknownFields === true) {
    errors.push(invalidValue('spec.preserveUnknownFields', true,
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead'))
  }
  if (spec.conversion !== undefined && spec.conversion.strategy !== 'None') {
    errors.push(forbiddenField('spec.conversion.strategy', 'conversion webhooks are not supported here'))
  }
  const stored = spec.versions.filter(version => version.storage).length
  if (stored !== 1) {
    errors.push(invalidValue('spec.versions', spec.versions.map(version => version.name),
      'must have exactly one version marked as storage version'))
  }
  const isShared = spec.versions.length === 1
  spec.versions.forEach((version, at) => {
    errors.push(...versionErrors(version, `spec.versions[${at}]`, isShared))
  })
  return errors
}
