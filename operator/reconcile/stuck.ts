// Pods that do not come up by waiting: no node takes them, their image cannot be pulled, they crash again and again.
import type { KubeObject } from '../kube/types.ts'

interface PodStatus {
  readonly conditions?: readonly { readonly type: string, readonly status: string, readonly reason?: string,
    readonly message?: string }[]
  readonly containerStatuses?: readonly { readonly restartCount?: number,
    readonly state?: { readonly waiting?: { readonly reason?: string, readonly message?: string } },
    readonly lastState?: { readonly terminated?: { readonly message?: string } } }[]
}

/** Reasons of a waiting container that pass only when something is changed. */
const waitingReasons: ReadonlySet<string> = new Set([
  'CrashLoopBackOff', 'ImagePullBackOff', 'ErrImagePull', 'ErrImageNeverPull', 'InvalidImageName',
  'CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'
])
const detailLengthMax = 300

/** No node takes it. The scheduler says so too of one whose volume is being made, or whose node is being started. */
export function isUnscheduled (pod: KubeObject): boolean {
  return unscheduledOf(pod) !== undefined
}

function unscheduledOf ({ status }: KubeObject): { readonly message?: string } | undefined {
  const { conditions = [] } = (status ?? {}) as PodStatus
  return conditions.find(({ type, status, reason }) =>
    type === 'PodScheduled' && status === 'False' && reason === 'Unschedulable')
}

/** Why, for people; undefined for a pod that serves, or may do so in a moment. */
export function stuckReason (pod: KubeObject): string | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined
  const { containerStatuses = [] } = (pod['status'] ?? {}) as PodStatus
  const unscheduled = unscheduledOf(pod)
  if (unscheduled !== undefined) return words('Unschedulable', unscheduled.message)
  for (const { state, lastState } of containerStatuses) {
    const { reason = '', message } = state?.waiting ?? {}
    if (waitingReasons.has(reason)) return words(reason, lastLine(lastState?.terminated?.message) ?? message)
  }
  return undefined
}

/** What a broker says when it gives up: its last line. */
function lastLine (text: string | undefined): string | undefined {
  return text?.split('\n').findLast(line => line.trim() !== '')
}

function words (reason: string, message = ''): string {
  return message === '' ? reason : `${reason}: ${message.slice(0, detailLengthMax)}`
}
