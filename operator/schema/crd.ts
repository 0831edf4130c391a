// A custom resource as code, and the CustomResourceDefinition made of it.
import type { ObjectSchema, Rule } from './json-schema.ts'

export const group = 'millrace.dev'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}`

/** A column of `kubectl get`; priority 1 shows with `-o wide` only. */
export interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean' | 'date'
  readonly jsonPath: string
  readonly description?: string
  readonly priority?: number
}

export interface Resource {
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly description: string
  readonly spec: ObjectSchema
  /** Left out: the resource has no status. */
  readonly status?: ObjectSchema
  /** Rules that see metadata.name, spec and status together. */
  readonly rules?: readonly Rule[]
  readonly scale?: {
    readonly specReplicasPath: string
    readonly statusReplicasPath: string
    readonly labelSelectorPath: string
  }
  readonly columns: readonly PrinterColumn[]
}

/** The CustomResourceDefinition as `kubectl apply` wants it. */
export function customResourceDefinition (resource: Resource): object {
  const { kind, plural, singular, shortNames, description, spec, status, rules, scale, columns } = resource
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      labels: { 'app.kubernetes.io/name': 'millrace', 'app.kubernetes.io/part-of': 'millrace' }
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories: ['millrace'] },
      versions: [{
        name: version,
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            description,
            type: 'object',
            required: ['spec'],
            properties: {
              apiVersion: { type: 'string' },
              kind: { type: 'string' },
              metadata: { type: 'object' },
              spec,
              ...status !== undefined && { status }
            },
            ...rules !== undefined && { 'x-kubernetes-validations': rules }
          }
        },
        ...status !== undefined && {
          subresources: { status: {}, ...scale !== undefined && { scale } }
        },
        additionalPrinterColumns: columns
      }]
    }
  }
}
