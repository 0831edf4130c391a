// What the reconcilers work with.
import type { Clock } from '../../wire/ports.ts'
import type { KubeApi } from '../kube/api.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Log } from '../kube/log.ts'
import type { Caches } from './caches.ts'
import type { ControllerClient } from './controller-client.ts'
import type { TopicIndex } from './topic-index.ts'
import type { Deadlines } from './deadlines.ts'
import type { EndingNamespaces } from './let-go.ts'
import type { Views } from './views.ts'

export interface Surroundings {
  readonly api: KubeApi
  readonly caches: Caches
  readonly topicIndex: TopicIndex
  readonly controllers: ControllerClient
  readonly views: Views
  readonly events: EventRecorder
  readonly deadlines: Deadlines
  readonly ending: EndingNamespaces
  /** By cluster: uids of the pods whose volumes are marked as its own. */
  readonly markedPods: Map<string, ReadonlySet<string>>
  /** By cluster: what was said last of brokers whose rack nobody knows. */
  readonly racksSaid: Map<string, string>
  readonly clock: Clock
  readonly log: Log
  /** Image of brokers whose Cluster names none. */
  readonly image: string
  /** Version of millrace that this operator belongs to. */
  readonly version: string
}
