// Why a broker is restarted, for people: what its pod has and the template has otherwise. Pure.
import { covers } from '../kube/covers.ts'
import type { KubeObject } from '../kube/types.ts'
import { configHashAnnotation, templateHashAnnotation } from '../objects/names.ts'
import type { PodTemplate } from '../objects/pod-template.ts'

interface PodSpec {
  readonly containers?: readonly { readonly image?: string, readonly resources?: unknown }[]
  readonly [field: string]: unknown
}

/** Fields of a pod that people set by spec.pod, in the order in which they are told. */
const placement = ['nodeSelector', 'tolerations', 'priorityClassName', 'imagePullSecrets'] as const

/** `its image changes from a to b; its nodeSelector changed` */
export function restartReason (pod: KubeObject, template: PodTemplate): string {
  const [was, shall] = [pod['spec'] as PodSpec | undefined, template.spec as PodSpec]
  const [before, after] = [was?.containers?.[0], shall.containers?.[0]]
  const reasons: string[] = []
  if (before?.image !== after?.image) reasons.push(`its image changes from ${before?.image} to ${after?.image}`)
  const changed: string[] = []
  const settings = template.metadata.annotations[configHashAnnotation]
  if (noteOf(pod, configHashAnnotation) !== settings) changed.push('listeners')
  // Limits without requests are given requests: the pod may say more.
  if (!covers(before?.resources ?? {}, after?.resources ?? {})) changed.push('resources')
  if (!covers(pod.metadata.labels ?? {}, template.metadata.labels)) changed.push('labels')
  const { [templateHashAnnotation]: _hash, [configHashAnnotation]: _settings, ...rest } = template.metadata.annotations
  if (!covers(pod.metadata.annotations ?? {}, rest)) changed.push('annotations')
  for (const field of placement) if (!keeps(field, was?.[field], shall[field])) changed.push(field)
  if (changed.length > 0) reasons.push(`its ${changed.join(', ')} changed`)
  return reasons.length === 0 ? 'its pod template changed' : reasons.join('; ')
}

function noteOf (pod: KubeObject, name: string): string | undefined {
  return pod.metadata.annotations?.[name]
}

/** Admission adds tolerations, priority and pull secrets of its own to a pod: what is wished must be among them. */
function keeps (field: string, live: unknown, wanted: unknown): boolean {
  if (field === 'nodeSelector') return covers(live ?? {}, wanted ?? {}) && covers(wanted ?? {}, live ?? {})
  if (wanted === undefined) return true
  if (!Array.isArray(wanted)) return covers(live, wanted)
  return Array.isArray(live) && wanted.every(item => live.some(each => covers(each, item)))
}
