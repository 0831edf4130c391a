// Which Topic objects speak of which topic: by cluster, by topic name, by uid.
import { keyOf } from '../kube/types.ts'
import type { Topic } from '../schema/resources.ts'
import { topicName } from './topic-settings.ts'

export class TopicIndex {
  readonly #byCluster = new Map<string, Set<string>>()
  /** By `namespace/cluster/topic name`. */
  readonly #byName = new Map<string, Map<string, Topic>>()
  readonly #uids = new Set<string>()

  update (topic: Topic | undefined, previous: Topic | undefined): void {
    if (previous !== undefined) this.#remove(previous)
    if (topic !== undefined) this.#add(topic)
  }

  /** Keys of the Topics of a cluster. */
  ofCluster (cluster: string): ReadonlySet<string> {
    return this.#byCluster.get(cluster) ?? new Set()
  }

  /** Keys of the Topics that speak of a topic. */
  ofName (cluster: string, name: string): string[] {
    return [...this.#byName.get(`${cluster}/${name}`)?.keys() ?? []]
  }

  hasUid (uid: string): boolean {
    return this.#uids.has(uid)
  }

  /** Of several Topics for one topic the oldest owns it; the uid decides between two of one second. */
  owner (cluster: string, name: string): Topic | undefined {
    const claims = [...this.#byName.get(`${cluster}/${name}`)?.values() ?? []]
    return claims.reduce<Topic | undefined>((oldest, claim) =>
      oldest === undefined || isOlder(claim, oldest) ? claim : oldest, undefined)
  }

  #add (topic: Topic): void {
    const cluster = clusterKey(topic)
    const name = `${cluster}/${topicName(topic)}`
    const ofCluster = this.#byCluster.get(cluster) ?? new Set()
    this.#byCluster.set(cluster, ofCluster.add(keyOf(topic)))
    const ofName = this.#byName.get(name) ?? new Map<string, Topic>()
    this.#byName.set(name, ofName.set(keyOf(topic), topic))
    if (topic.metadata.uid !== undefined) this.#uids.add(topic.metadata.uid)
  }

  #remove (topic: Topic): void {
    const cluster = clusterKey(topic)
    const name = `${cluster}/${topicName(topic)}`
    this.#byCluster.get(cluster)?.delete(keyOf(topic))
    if (this.#byCluster.get(cluster)?.size === 0) this.#byCluster.delete(cluster)
    this.#byName.get(name)?.delete(keyOf(topic))
    if (this.#byName.get(name)?.size === 0) this.#byName.delete(name)
    if (topic.metadata.uid !== undefined) this.#uids.delete(topic.metadata.uid)
  }
}

/** Key of the Cluster that a Topic names, in its own namespace. */
export function clusterKey (topic: Topic): string {
  return `${topic.metadata.namespace ?? ''}/${topic.spec.cluster}`
}

function isOlder (left: Topic, right: Topic): boolean {
  const [a, b] = [left.metadata.creationTimestamp ?? '', right.metadata.creationTimestamp ?? '']
  return a === b ? (left.metadata.uid ?? '') < (right.metadata.uid ?? '') : a < b
}
