// Status conditions: what changed keeps its time, what did not is not written again.
import { wholeSeconds } from '../kube/micro-time.ts'
import type { Condition } from '../schema/conditions.ts'

const messageLengthMax = 1_024

export interface Verdict {
  readonly type: string
  readonly status: boolean | undefined
  /** CamelCase, for programs. */
  readonly reason: string
  /** For people. */
  readonly message: string
}

/** The conditions after `verdicts`; lastTransitionTime moves only when the status of one does. */
export function conditions (previous: readonly Condition[] | undefined, verdicts: readonly Verdict[],
  observedGeneration: number, wallTimeMs: number): Condition[] {
  return verdicts.map(({ type, status: holds, reason, message }) => {
    const status = holds === undefined ? 'Unknown' : holds ? 'True' : 'False'
    const before = previous?.find(condition => condition.type === type)
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : wholeSeconds(wallTimeMs)
    return { type, status, reason, message: message.slice(0, messageLengthMax), lastTransitionTime, observedGeneration }
  })
}

export function condition (list: readonly Condition[] | undefined, type: string): Condition | undefined {
  return list?.find(entry => entry.type === type)
}
