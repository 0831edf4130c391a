// The status that a kubelet would report for a pod of one container. Pure.
import { address } from './types.ts'
import type { Condition, Container, Pod } from './types.ts'

export type ContainerState =
  | { readonly waiting: { readonly reason: string, readonly message?: string } }
  | { readonly running: { readonly startedAt: string } }
  | { readonly terminated: Terminated }

export interface Terminated {
  readonly exitCode: number
  /** Absent unless a signal ended it. */
  readonly signal?: number
  readonly reason: string
  readonly startedAt: string
  readonly finishedAt: string
}

export interface PodState {
  readonly container: ContainerState
  readonly last: Terminated | undefined
  readonly restarts: number
  /** Its startup probe, if any, has succeeded. */
  readonly started: boolean
  readonly ready: boolean
  /** When the pod was first seen. */
  readonly since: string
}

/** @param now RFC 3339, whole seconds. */
export function podStatus (pod: Pod, container: Container, state: PodState, now: string): Record<string, unknown> {
  const hasRun = state.last !== undefined || !('waiting' in state.container)
  return {
    observedGeneration: pod.metadata.generation,
    phase: hasRun ? 'Running' : 'Pending',
    conditions: conditions(pod, state, now),
    hostIP: address,
    podIP: address,
    podIPs: [{ ip: address }],
    startTime: state.since,
    containerStatuses: [{
      name: container.name,
      image: container.image ?? '',
      imageID: '',
      ready: state.ready,
      started: state.started,
      restartCount: state.restarts,
      state: state.container,
      lastState: state.last === undefined ? {} : { terminated: state.last }
    }]
  }
}

function conditions (pod: Pod, { ready }: PodState, now: string): Condition[] {
  const before = pod.status?.conditions ?? []
  const condition = (type: string, holds: boolean, reason?: string): Condition => {
    const status = holds ? 'True' : 'False'
    const old = before.find(each => each.type === type)
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime ?? now : now
    return { type, status, lastTransitionTime, ...reason !== undefined && !holds && { reason } }
  }
  return [
    condition('PodReadyToStartContainers', true),
    condition('Initialized', true),
    condition('Ready', ready, 'ContainersNotReady'),
    condition('ContainersReady', ready, 'ContainersNotReady'),
    condition('PodScheduled', true)
  ]
}
