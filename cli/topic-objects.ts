// Topic objects of the Kubernetes API, by the name of the topic.
import { createHash } from 'node:crypto'
import { kinds } from '../operator/kube/types.ts'
import type { KubeObject } from '../operator/kube/types.ts'
import type { Topic } from '../operator/schema/resources.ts'
import type { Kube } from './kube.ts'

export type TopicObject = Topic & KubeObject

/** What Kubernetes allows as the name of an object (RFC 1123 subdomain); topics may be named more freely. */
const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const objectNameLengthMax = 253

/** The name of the object for a topic: its own where Kubernetes allows it, else one made from it. */
export function objectNameFor (topic: string): string {
  if (objectName.test(topic) && topic.length <= objectNameLengthMax) return topic
  const plain = topic.toLowerCase().replace(/[^a-z0-9.-]/g, '-').replace(/[.-]{2,}/g, '-').replace(/^[.-]+|[.-]+$/g, '')
  const hash = createHash('sha256').update(topic).digest('hex').slice(0, 8)
  return `${plain.slice(0, 200).replace(/[.-]+$/, '') || 'topic'}-${hash}`
}

export function topicOf (object: TopicObject): string {
  return object.spec.name ?? object.metadata.name
}

/** Every Topic object that speaks of the topic, in one cluster or in all of the namespace. */
export async function topicObjects (kube: Kube, topic: string, cluster: string | undefined): Promise<TopicObject[]> {
  const found: TopicObject[] = []
  let page = ''
  do {
    const query = { namespace: kube.namespace, limit: 500, continue: page }
    const list = await kube.reach(() => kube.api.list(kinds.topic, query))
    for (const item of list.items as TopicObject[]) {
      if (topicOf(item) === topic && (cluster === undefined || item.spec.cluster === cluster)) found.push(item)
    }
    page = list.continue
  } while (page !== '')
  return found
}
