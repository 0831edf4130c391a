// A Cluster or Topic that a person has paused by an annotation: it is looked at, nothing is changed but its status.
// Deleting goes on: an object that is going must not hang.
import type { Happening } from '../kube/events.ts'
import type { KubeObject } from '../kube/types.ts'
import { pausedAnnotation } from '../objects/names.ts'
import type { Condition } from '../schema/conditions.ts'
import { condition, type Verdict } from './conditions.ts'

export const pausedMessage = `the annotation ${pausedAnnotation} is "true": nothing is changed`

export function isPaused (object: KubeObject): boolean {
  return object.metadata.annotations?.[pausedAnnotation] === 'true'
}

/** The condition is there while it holds, and only then. */
export function pausedVerdicts (message: string | undefined): Verdict[] {
  return message === undefined ? [] : [{ type: 'Paused', status: true, reason: 'Annotation', message }]
}

export function pausedNews (before: readonly Condition[] | undefined, message: string | undefined): Happening[] {
  const was = condition(before, 'Paused') !== undefined
  if (was === (message !== undefined)) return []
  return [was
    ? { type: 'Normal', reason: 'Resumed', action: 'Reconcile', note: 'what was asked for meanwhile is done now' }
    : { type: 'Normal', reason: 'Paused', action: 'Reconcile', note: message! }]
}
