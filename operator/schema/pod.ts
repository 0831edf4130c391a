// What people may say of the broker pods. A small schema of our own: a PodSpec embedded here would make the definition
// twenty times as large, and would let a Cluster undo what brokers rely on.
import type { ObjectSchema } from './json-schema.ts'

const entriesMax = 16
const keyLengthMax = 317
const labelValue = { type: 'string', maxLength: 63, pattern: '^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$' } as const
const name = { type: 'string', minLength: 1, maxLength: 253, pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$' } as const

/** What pods are found and counted by, and where Kubernetes says in which zone they are. */
const labelsRule = {
  rule: "self.all(k, !k.contains('kubernetes.io/') && !k.startsWith('millrace.dev/') && " +
    "k != 'controller-revision-hash')",
  message: 'labels of kubernetes.io and millrace.dev are reserved: pods are found by them'
} as const

const annotationsRule = {
  rule: "self.all(k, !k.startsWith('millrace.dev/'))",
  message: 'annotations of millrace.dev are reserved'
} as const

export const podSchema = {
  description: 'More about the broker pods. A change restarts the brokers, one at a time.',
  type: 'object',
  properties: {
    labels: {
      description: 'More labels.',
      type: 'object',
      maxProperties: entriesMax,
      additionalProperties: labelValue,
      'x-kubernetes-validations': [labelsRule]
    },
    annotations: {
      description: 'More annotations.',
      type: 'object',
      maxProperties: entriesMax,
      additionalProperties: { type: 'string', maxLength: 1024 },
      'x-kubernetes-validations': [annotationsRule]
    },
    nodeSelector: {
      description: 'Labels that a node must have.',
      type: 'object',
      maxProperties: entriesMax,
      additionalProperties: labelValue
    },
    tolerations: {
      description: 'Taints of nodes that do not keep brokers away.',
      type: 'array',
      maxItems: entriesMax,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        properties: {
          key: { description: 'Of the taint; left out: any.', type: 'string', maxLength: keyLengthMax },
          operator: { description: 'Left out: Equal.', type: 'string', enum: ['Exists', 'Equal'] },
          value: { ...labelValue, description: 'Of the taint.' },
          effect: {
            description: 'Of the taint; left out: any.',
            type: 'string',
            enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute']
          },
          tolerationSeconds: {
            description: 'With NoExecute: a broker stays so long.',
            type: 'integer',
            format: 'int64'
          }
        }
      }
    },
    priorityClassName: { ...name, description: 'Name of a PriorityClass.' },
    imagePullSecrets: {
      description: 'Secrets for the registry of the image.',
      type: 'array',
      maxItems: 8,
      'x-kubernetes-list-type': 'atomic',
      items: { type: 'object', required: ['name'], properties: { name: { ...name, description: 'Of a Secret.' } } }
    }
  }
} as const satisfies ObjectSchema
