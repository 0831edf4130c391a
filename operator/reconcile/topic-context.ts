// What the steps of one Topic share, and how one of them says that the topic is not as wished.
import type { ApplyTopicRequest, TopicStatus as ControllerStatus } from '../../wire/messages.ts'
import type { KubeObject } from '../kube/types.ts'
import type { Cluster, Topic } from '../schema/resources.ts'
import type { Surroundings } from './context.ts'

export interface TopicContext extends Surroundings {
  readonly topic: Topic & KubeObject
  /** `namespace/name` of the Cluster that it names. */
  readonly clusterKey: string
  cluster?: Cluster
  settings?: ApplyTopicRequest
  result?: ControllerStatus
}

/** The topic is not as wished, and why; ends the pass with a condition. */
export class NotReady extends Error {
  override readonly name = 'NotReady'
  readonly reason: string
  /** Come back by itself; unset: only an event can change it. */
  readonly retryAfterMs: number | undefined
  /** Passes by itself: a Ready that was written before stays. */
  readonly passing: boolean

  constructor (reason: string, message: string, options: { retryAfterMs?: number, passing?: boolean } = {}) {
    super(message)
    this.reason = reason
    this.retryAfterMs = options.retryAfterMs
    this.passing = options.passing ?? false
  }
}
