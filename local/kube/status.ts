// Errors as a Kubernetes API server tells them: a Status object, the same for HTTP clients and for
// in-process callers. Wordings follow k8s.io/apimachinery/pkg/api/errors, since clients and people
// read them.

export interface StatusCause {
  reason: string
  message: string
  field: string
}

export interface StatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: StatusCause[]
  retryAfterSeconds?: number
}

export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: Record<string, never>
  status: 'Failure' | 'Success'
  message: string
  reason?: string
  details?: StatusDetails
  code: number
}

/** A refused request. `code` is the HTTP status, `reason` the word that programs compare. */
export class ApiError extends Error {
  readonly code: number
  readonly reason: string
  readonly details: StatusDetails | undefined

  constructor (code: number, reason: string, message: string, details?: StatusDetails) {
    super(message)
    this.name = 'ApiError'
    this.code = code
    this.reason = reason
    this.details = details
  }

  toStatus (): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...this.reason !== '' && { reason: this.reason },
      ...this.details !== undefined && { details: this.details },
      code: this.code
    }
  }
}

/** Which kind an error speaks of: `statefulsets.apps`, or `pods` for the core group. */
export interface GroupResource {
  readonly group: string
  readonly plural: string
}

export function qualified (resource: GroupResource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
}

function detailsOf (resource: GroupResource, name: string): StatusDetails {
  return { name, ...resource.group !== '' && { group: resource.group }, kind: resource.plural }
}

export function notFound (resource: GroupResource, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${qualified(resource)} "${name}" not found`,
    detailsOf(resource, name))
}

export function noSuchPath (): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {})
}

export function alreadyExists (resource: GroupResource, name: string): ApiError {
  return new ApiError(409, 'AlreadyExists', `${qualified(resource)} "${name}" already exists`,
    detailsOf(resource, name))
}

export function conflict (resource: GroupResource, name: string, message: string): ApiError {
  return new ApiError(409, 'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${message}`,
    detailsOf(resource, name))
}

export const staleWrite = 'the object has been modified; please apply your changes to the latest ' +
  'version and try again'

export function badRequest (message: string): ApiError {
  return new ApiError(400, 'BadRequest', message)
}

export function forbidden (resource: GroupResource, name: string, message: string): ApiError {
  const which = name === '' ? qualified(resource) : `${qualified(resource)} "${name}"`
  return new ApiError(403, 'Forbidden', `${which} is forbidden: ${message}`,
    detailsOf(resource, name))
}

export function methodNotAllowed (): ApiError {
  return new ApiError(405, 'MethodNotAllowed',
    'the server does not allow this method on the requested resource', {})
}

/** The wanted resourceVersion is older than the history that is kept: list again. */
export function expired (message: string): ApiError {
  return new ApiError(410, 'Expired', message)
}

export function unsupportedMedia (message: string): ApiError {
  return new ApiError(415, 'UnsupportedMediaType', message)
}

export function tooLarge (bytesMax: number): ApiError {
  return new ApiError(413, 'RequestEntityTooLarge',
    `Request entity too large: limit is ${bytesMax}`)
}

export function internal (message: string): ApiError {
  return new ApiError(500, 'InternalError', `Internal error occurred: ${message}`)
}

export type FieldErrorReason = 'FieldValueRequired' | 'FieldValueInvalid' | 'FieldValueForbidden' |
  'FieldValueNotSupported' | 'FieldValueDuplicate' | 'FieldValueTooLong' | 'FieldValueTooMany' |
  'FieldValueTypeInvalid' | 'FieldValueNotFound' | 'FieldManagerConflict'

/** One thing wrong with one field; many make up one Invalid error. */
export interface FieldError {
  readonly reason: FieldErrorReason
  /** `spec.template.spec.containers[0].name` */
  readonly field: string
  /** Without the field's name: `Required value`, `Invalid value: 3: must be ...`. */
  readonly message: string
}

/** How Go prints a value inside `Invalid value: ...`. */
export function shown (value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return JSON.stringify(value)
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

export function invalidValue (field: string, value: unknown, why: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${shown(value)}: ${why}` }
}

export function required (field: string, why = ''): FieldError {
  return {
    reason: 'FieldValueRequired', field, message: why === '' ? 'Required value' : `Required value: ${why}`
  }
}

export function forbiddenField (field: string, why: string): FieldError {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` }
}

export function duplicate (field: string, value: unknown): FieldError {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${shown(value)}` }
}

export function notSupported (field: string, value: unknown, values: readonly unknown[]): FieldError {
  const list = values.map(item => shown(item)).join(', ')
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${shown(value)}: supported values: ${list}`
  }
}

/** 422: `StatefulSet.apps "web" is invalid: spec.replicas: Invalid value: ...`. */
export function invalid (group: string, kind: string, name: string,
  errors: readonly FieldError[]): ApiError {
  const texts = [...new Set(errors.map(error => `${error.field}: ${error.message}`))]
  const all = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const qualifiedKind = group === '' ? kind : `${kind}.${group}`
  return new ApiError(422, 'Invalid', `${qualifiedKind} "${name}" is invalid: ${all}`, {
    ...name !== '' && { name },
    ...group !== '' && { group },
    kind,
    causes: errors.map(({ reason, message, field }) => ({ reason, message, field }))
  })
}
