// The metadata service of the client port: every broker answers from what the controller pushed to it.
import { WireError } from '../../wire/errors.ts'
import type { GetMetadataRequest, GetMetadataResponse, Sent, TopicInfo, TopicMetadata } from '../../wire/messages.ts'
import type { Services } from '../../wire/ports.ts'
import { nobody } from '../row.ts'
import type { ClusterView, Self } from '../session/contract.ts'

export interface MetadataEndpoint {
  readonly self: Self
  readonly view: ClusterView
  /** True while there is a session with the controller. */
  readonly isRegistered: boolean
}

export function metadataServices (endpoint: MetadataEndpoint): Services {
  return { unary: { GetMetadata: request => Promise.resolve(metadata(endpoint, request)) } }
}

function metadata (
  { self, view, isRegistered }: MetadataEndpoint, request: GetMetadataRequest
): Sent<GetMetadataResponse> {
  const about = {
    cluster: self.clusterName,
    clusterUid: self.clusterUid,
    // Without a session what is not known here may exist all the same: clients go by this.
    controller: isRegistered ? view.controller : nobody,
    controllerEpoch: view.controllerEpoch
  }
  // Before the first push this broker knows nothing: 'unknown topic' would be a lie.
  if (!view.loaded) return { ...about, error: new WireError('CONTROLLER_UNAVAILABLE').toDetail() }
  const topics = request.topics.length === 0
    ? view.topics().filter(topic => !topic.deleting && (request.includeInternal || !topic.internal))
      .map(topic => described(view, topic))
    : request.topics.map(name => named(view, name))
  return { ...about, brokers: view.brokers(), topics }
}

function named (view: ClusterView, name: string): Sent<TopicMetadata> {
  const topic = view.topicByName(name)
  if (topic !== undefined && !topic.deleting) return described(view, topic)
  const error = new WireError('UNKNOWN_TOPIC', `no topic '${name}'`)
  return { error: error.toDetail(), topic: { name } }
}

function described (view: ClusterView, topic: TopicInfo): Sent<TopicMetadata> {
  return { topic, partitions: view.rows(topic.topicId) }
}
