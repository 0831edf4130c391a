// Names, labels, annotations, finalizers and owner references: what every object's metadata must be
// like, in the words of k8s.io/apimachinery/pkg/api/validation.
import type { KubeObject, ObjectMeta } from '../object.ts'
import { equal } from '../object.ts'
import { forbiddenField, invalidValue, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import type { NameRule, ResourceType } from './resource.ts'

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const labelPattern = new RegExp(`^${label1123}$`)
const subdomainPattern = new RegExp(`^${label1123}(\\.${label1123})*$`)
const label1035Pattern = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const qualifiedPattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const labelValuePattern = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/
const annotationsBytesMax = 256 * 1024

const subdomainText = 'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric ' +
  "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. " +
  "'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const labelText = 'a lowercase RFC 1123 label must consist of lower case alphanumeric characters ' +
  "or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', " +
  "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
export const label1035Text = 'a DNS-1035 label must consist of lower case alphanumeric characters or ' +
  "'-', start with an alphabetic character, and end with an alphanumeric character (e.g. " +
  "'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
const qualifiedText = "name part must consist of alphanumeric characters, '-', '_' or '.', and " +
  "must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or " +
  "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const labelValueText = 'a valid label must be an empty string or consist of alphanumeric ' +
  "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. " +
  "'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

const nameRules: Record<NameRule, { pattern: RegExp, max: number, text: string }> = {
  subdomain: { pattern: subdomainPattern, max: 253, text: subdomainText },
  label: { pattern: labelPattern, max: 63, text: labelText },
  label1035: { pattern: label1035Pattern, max: 63, text: label1035Text },
  path: {
    pattern: /^(?!\.\.?$)[^/%]+$/, max: 253, text: "may not be '.' or '..' and may not contain '/' or '%'"
  }
}

/** What is wrong with a name; `isPrefix` for generateName, which may end in a dash. */
export function nameErrors (name: string, rule: NameRule, field: string, isPrefix = false): FieldError[] {
  const { pattern, max, text } = nameRules[rule]
  const checked = isPrefix ? name.replace(/[-.]$/, 'a') : name
  const errors: FieldError[] = []
  if (name.length > max) errors.push(invalidValue(field, name, `must be no more than ${max} bytes`))
  if (!pattern.test(checked)) errors.push(invalidValue(field, name, text))
  return errors
}

export function isSubdomain (name: string): boolean {
  return name.length <= 253 && subdomainPattern.test(name)
}

export function isLabel (name: string): boolean {
  return name.length <= 63 && labelPattern.test(name)
}

/** `prefix/name` keys of labels and annotations, names of finalizers. */
export function qualifiedNameErrors (key: string, field: string): FieldError[] {
  const parts = key.split('/')
  const errors: FieldError[] = []
  if (parts.length > 2) {
    return [invalidValue(field, key, qualifiedText.replace('name part', 'a valid label key') +
      " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")]
  }
  const name = parts.at(-1) ?? ''
  const prefix = parts.length === 2 ? parts[0] : undefined
  if (prefix === '') errors.push(invalidValue(field, key, 'prefix part must be non-empty'))
  else if (prefix !== undefined && !isSubdomain(prefix)) {
    errors.push(invalidValue(field, key, `prefix part ${subdomainText}`))
  }
  if (name === '') errors.push(invalidValue(field, key, 'name part must be non-empty'))
  else if (name.length > 63) {
    errors.push(invalidValue(field, key, 'name part must be no more than 63 bytes'))
  } else if (!qualifiedPattern.test(name)) errors.push(invalidValue(field, key, qualifiedText))
  return errors
}

export function labelErrors (labels: Record<string, string>, field: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [key, value] of Object.entries(labels)) {
    errors.push(...qualifiedNameErrors(key, field))
    if (value.length > 63) {
      errors.push(invalidValue(field, value, 'must be no more than 63 bytes'))
    } else if (!labelValuePattern.test(value)) errors.push(invalidValue(field, value, labelValueText))
  }
  return errors
}

function annotationErrors (annotations: Record<string, string>, field: string): FieldError[] {
  const errors: FieldError[] = []
  let bytes = 0
  for (const [key, value] of Object.entries(annotations)) {
    // Annotation keys are compared in lower case.
    errors.push(...qualifiedNameErrors(key.toLowerCase(), field))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (bytes > annotationsBytesMax) {
    errors.push({
      reason: 'FieldValueTooLong',
      field,
      message: `Too long: may not be more than ${annotationsBytesMax} bytes`
    })
  }
  return errors
}

function ownerErrors (meta: ObjectMeta): FieldError[] {
  const errors: FieldError[] = []
  const field = 'metadata.ownerReferences'
  let controller: string | undefined
  meta.ownerReferences?.forEach(owner => {
    const path = field
    if (!owner.apiVersion) errors.push(invalidValue(`${path}.apiVersion`, '', 'version must not be empty'))
    if (!owner.kind) errors.push(invalidValue(`${path}.kind`, '', 'must not be empty'))
    if (!owner.name) errors.push(invalidValue(`${path}.name`, '', 'must not be empty'))
    if (!owner.uid) errors.push(invalidValue(`${path}.uid`, '', 'must not be empty'))
    if (owner.controller !== true) return
    if (controller !== undefined) {
      errors.push(invalidValue(field, meta.ownerReferences, 'Only one reference can have Controller ' +
        `set to true. Found "true" in references for ${controller} and ${owner.kind}/${owner.name}`))
    }
    controller = `${owner.kind}/${owner.name}`
  })
  return errors
}


export function metadataErrors (type: ResourceType, object: KubeObject): FieldError[] {
  const meta = object.metadata
  const errors: FieldError[] = []
  if (meta.generateName !== undefined && meta.generateName !== '') {
    errors.push(...nameErrors(meta.generateName, type.nameRule, 'metadata.generateName', true))
  }
  if (!meta.name) {
    errors.push(required('metadata.name', 'name or generateName is required'))
  } else {
    errors.push(...nameErrors(meta.name, type.nameRule, 'metadata.name'))
  }
  errors.push(...labelErrors(meta.labels ?? {}, 'metadata.labels'))
  errors.push(...annotationErrors(meta.annotations ?? {}, 'metadata.annotations'))
  errors.push(...(meta.finalizers ?? []).flatMap(one => qualifiedNameErrors(one, 'metadata.finalizers')))
  errors.push(...ownerErrors(meta))
  return errors
}

/** What an update may not change in the metadata. */
export function metadataUpdateErrors (object: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = []
  for (const name of ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp'] as const) {
    if (!equal(object.metadata[name], old.metadata[name])) {
      errors.push(invalidValue(`metadata.${name}`, object.metadata[name] ?? '', 'field is immutable'))
    }
  }
  if (old.metadata.deletionTimestamp === undefined) return errors
  const before = new Set(old.metadata.finalizers)
  const added = (object.metadata.finalizers ?? []).filter(finalizer => !before.has(finalizer))
  if (added.length > 0) {
    errors.push(forbiddenField('metadata.finalizers', 'no new finalizers can be added if the object ' +
      `is being deleted, found new finalizers []string{${added.map(one => JSON.stringify(one)).join(', ')}}`))
  }
  return errors
}
