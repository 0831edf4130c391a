// The status conditions that every resource shares, as metav1.Condition has them.
import type { TypeOf } from './json-schema.ts'

export const observedGenerationSchema = {
  description: 'The generation that this status speaks of.',
  type: 'integer',
  format: 'int64',
  minimum: 0
} as const

export const conditionsSchema = {
  description: 'What holds now, and why.',
  type: 'array',
  maxItems: 8,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: { description: 'What it is about.', type: 'string', maxLength: 64 },
      status: { description: 'Whether it holds.', type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: { description: 'Why, for programs.', type: 'string', minLength: 1, maxLength: 128 },
      message: { description: 'Why, for people.', type: 'string', maxLength: 4096 },
      lastTransitionTime: { description: 'When status changed last.', type: 'string', format: 'date-time' },
      observedGeneration: { ...observedGenerationSchema, description: 'The generation that it speaks of.' }
    }
  }
} as const

export type Condition = TypeOf<typeof conditionsSchema>[number]
