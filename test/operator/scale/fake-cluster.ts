// The controller of one of many simulated clusters: it answers as FakeController does, and before it answers it writes
// what it decided into partition tables of the size and the form that a real controller gives them.
import { emptyTable, type Table, type TopicEntry } from '../../../broker/controller/table.ts'
import { encodeTable } from '../../../broker/controller/table-codec.ts'
import type { KubeApi } from '../../../local/kube/api.ts'
import type { ApplyTopicResponse, PartitionRow, Sent } from '../../../wire/messages.ts'
import type { RequestOf, ResponseOf, UnaryMethod } from '../../../wire/ports.ts'
import { FakeController } from '../reconcile/fake-controller.ts'

const tables = 'partitiontables.millrace.dev'
const leases = 'leases.coordination.k8s.io'
/** About as many as a real controller puts into one table of 256 KiB at most. */
const topicsPerTable = 350

export class FakeCluster {
  readonly name: string
  readonly namespace: string
  readonly controller = new FakeController()
  /** How often each method was called. */
  readonly calls = new Map<string, number>()
  readonly #kube: KubeApi
  readonly #topics: TopicEntry[] = []
  readonly #places = new Map<string, number>()
  readonly #dirty = new Set<number>()
  #writing: Promise<void> | undefined
  #writes = 0
  #elected = false

  constructor (kube: KubeApi, namespace: string, name: string) {
    this.#kube = kube
    this.namespace = namespace
    this.name = name
  }

  /** Any of its brokers is asked: one of them is the controller. */
  async call<M extends UnaryMethod> (method: M, request: Sent<RequestOf<M>>): Promise<ResponseOf<M>> {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1)
    const answer = await this.controller.call(this.controller.address, method, request)
    if (method === 'ApplyTopic') await this.#store((answer as ApplyTopicResponse).topic)
    // Nobody asks what was asked before.
    this.controller.calls.length = 0
    return answer
  }

  /** A broker is there: the first one becomes the controller. */
  async register (broker: number): Promise<void> {
    this.controller.brokers.register(broker)
    this.#dirty.add(0)
    if (!this.#elected) {
      this.#elected = true
      this.controller.controller = broker
      await this.#kube.create(leases, {
        metadata: {
          name: `${this.name}-controller`,
          namespace: this.namespace,
          labels: { 'millrace.dev/cluster': this.name },
          annotations: {
            'millrace.dev/controller-epoch': '1', 'millrace.dev/controller-address': this.controller.address
          }
        },
        spec: { holderIdentity: String(broker) }
      })
    }
    await this.#write()
  }

  async #store (status: ApplyTopicResponse['topic']): Promise<void> {
    const { topic, ownerUid } = status!
    const place = this.#places.get(topic!.topicId) ?? this.#topics.length
    this.#places.set(topic!.topicId, place)
    this.#topics[place] = { ...topic!, ownerUid }
    this.#dirty.add(Math.floor(place / topicsPerTable))
    await this.#write()
  }

  /** One write of a table at a time; what comes up meanwhile is in the next. */
  async #write (): Promise<void> {
    while (this.#dirty.size > 0 || this.#writing !== undefined) {
      this.#writing ??= this.#writeDirty().finally(() => { this.#writing = undefined })
      await this.#writing
    }
  }

  async #writeDirty (): Promise<void> {
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    await Promise.all(dirty.map(async index => {
      const { apiVersion, kind, metadata, spec } = encodeTable(this.#table(index)) as ReturnType<typeof encodeTable> &
        { spec: object }
      const known = this.#kube.get(tables, this.namespace, metadata.name)
      if (known === undefined) {
        const { name, labels } = metadata
        const meta = { name, namespace: this.namespace, ...labels !== undefined && { labels } }
        await this.#kube.create(tables, { apiVersion: apiVersion!, kind: kind!, metadata: meta, spec })
      } else {
        await this.#kube.update(tables, { ...known, spec })
      }
    }))
  }

  #table (index: number): Table {
    const topics = this.#topics.slice(index * topicsPerTable, (index + 1) * topicsPerTable)
    const tableCount = Math.ceil(this.#topics.length / topicsPerTable)
    return {
      ...emptyTable({ name: `${this.name}-${index}`, labels: { 'millrace.dev/cluster': this.name } }),
      controllerEpoch: 1,
      writeId: String(++this.#writes),
      tables: index === 0 ? Array.from({ length: tableCount - 1 }, (_, more) => `${this.name}-${more + 1}`) : [],
      brokers: new Map(index === 0 ? this.controller.brokers.info().map(each => [each.brokerId, each]) : []),
      topics: new Map(topics.map(topic => [topic.topicId, topic])),
      rows: new Map(topics.map(topic => [topic.topicId, this.#rows(topic)]))
    }
  }

  #rows ({ topicId, partitions, replicas: count, minInSync }: TopicEntry): PartitionRow[] {
    const brokers = this.controller.brokers.info()
    return Array.from({ length: partitions }, (_, partition) => {
      const members = Array.from({ length: count }, (_, each) => brokers[(partition + each) % brokers.length]!)
      return {
        topicId,
        partition,
        replicas: members.map(({ brokerId }) => brokerId),
        leader: members[0]!.brokerId,
        leaderEpoch: 1,
        inSync: members.map(({ brokerId, volumeId }) => ({ brokerId, volumeId, replicaGen: 1 })),
        version: 1,
        minInSync,
        adding: [],
        removing: [],
        barred: []
      }
    })
  }
}
