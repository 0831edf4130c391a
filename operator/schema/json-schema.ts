// Structural schemas as plain data, written as they stand in the CRD, and the TypeScript type of what
// the API server stores under one. No $ref, no oneOf with types, no additionalProperties beside
// properties (Kubernetes documentation, "Specifying a structural schema").

/** A CEL rule; `message` is what the user reads when it is false. */
export interface Rule {
  readonly rule: string
  readonly message: string
  readonly fieldPath?: string
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
}

interface Common {
  readonly description?: string
  readonly 'x-kubernetes-validations'?: readonly Rule[]
}

export interface StringSchema extends Common {
  readonly type: 'string'
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly format?: 'date-time'
  readonly minLength?: number
  readonly maxLength?: number
  readonly default?: string
}

export interface IntegerSchema extends Common {
  readonly type: 'integer'
  readonly format?: 'int32' | 'int64'
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: number
}

export interface BooleanSchema extends Common {
  readonly type: 'boolean'
  readonly default?: boolean
}

export interface ArraySchema extends Common {
  readonly type: 'array'
  readonly items: Schema
  readonly maxItems?: number
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
}

export interface ObjectSchema extends Common {
  readonly type: 'object'
  readonly properties: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly default?: object
}

export interface MapSchema extends Common {
  readonly type: 'object'
  readonly additionalProperties: Schema
  readonly maxProperties?: number
}

export type Schema = StringSchema | IntegerSchema | BooleanSchema | ArraySchema | ObjectSchema | MapSchema

type Present<S, P> =
  (S extends { required: readonly (infer R)[] } ? R & keyof P : never) |
  { [K in keyof P]: P[K] extends { default: unknown } ? K : never }[keyof P]

type Flat<T> = { [K in keyof T]: T[K] }

type ObjectOf<S, P> = Flat<
  { [K in Present<S, P>]: TypeOf<P[K]> } &
  { [K in Exclude<keyof P, Present<S, P>>]?: TypeOf<P[K]> | undefined }>

/** What the API server stores under schema `S`: fields with a default are always there. */
export type TypeOf<S> =
  S extends { enum: readonly (infer E)[] } ? E
    : S extends { type: 'string' } ? string
      : S extends { type: 'integer' } ? number
        : S extends { type: 'boolean' } ? boolean
          : S extends { items: infer I } ? TypeOf<I>[]
            : S extends { properties: infer P } ? ObjectOf<S, P>
              : S extends { additionalProperties: infer V } ? Record<string, TypeOf<V>>
                : never
