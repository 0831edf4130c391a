// The controllers of all clusters, in memory, behind a Net: what AdminService answers, and nothing else of
// a broker. Its rules are those of broker/controller/topics.ts.
import { WireError } from '../../../wire/errors.ts'
import type {
  ApplyTopicRequest, DeleteTopicRequest, DescribeClusterResponse, DrainBrokersRequest, MaintainBrokersRequest,
  PartitionMove, PlanBrokersResponse, RemoveBrokerRequest, Sent, TopicStatus
} from '../../../wire/messages.ts'
import type { Listener, Net, RequestOf, ResponseOf, Stream, UnaryMethod } from '../../../wire/ports.ts'
import { FakeBrokers } from './fake-brokers.ts'

interface StoredTopic {
  readonly topicId: string
  settings: ApplyTopicRequest
  orphaned: boolean
  ownerUid: string
  offline: number
  underReplicated: number
  moving: number
  recovered: number[]
}

export class FakeController implements Net {
  readonly topics = new Map<string, StoredTopic>()
  /** Every call: address, method, which cluster is meant. */
  readonly calls: { address: string, method: string, request: unknown, cluster: string }[] = []
  /** Names whose data was deleted. */
  readonly deleted: string[] = []
  /** Where it listens; another address answers NOT_CONTROLLER and points here. */
  address = '127.0.0.1:9091'
  readonly brokers = new FakeBrokers()
  moves: PartitionMove[] = []
  /** What PlanBrokers answers. */
  foreseen: Pick<PlanBrokersResponse, 'moves' | 'drains'> = { moves: [], drains: [] }
  controller = 0
  /** Why the tables are not whole; empty while they are. */
  restoring = ''
  underReplicated = 0
  /** Of these: for other reasons than brokers in maintenance; unset: all. */
  unexpectedly: number | undefined
  /** Brokers that may not be restarted while others are in maintenance. */
  indispensable: readonly number[] = []
  lowDisks: { brokerId: number, full: boolean, lowMs: number }[] = []
  /** What those in maintenance still lead. */
  leading = 0
  /** Lists that MaintainBrokers named. */
  readonly maintained: string[] = []
  /** Answers wait for it. */
  held: Promise<void> | undefined
  /** Asked before each call is carried out. */
  onCall: (method: string) => WireError | undefined = () => undefined
  /** Asked after: the change is made, the answer is lost. */
  onAnswer: (method: string) => WireError | undefined = () => undefined
  #lastId = 0

  async call<M extends UnaryMethod> (address: string, method: M, request: Sent<RequestOf<M>>, _timeoutMs?: number,
    cluster = ''): Promise<ResponseOf<M>> {
    this.calls.push({ address, method, request, cluster })
    await new Promise(resolve => { setImmediate(resolve) })
    await this.held
    if (this.address === '') throw new WireError('CONNECTION_REFUSED')
    if (address !== this.address) throw new WireError('NOT_CONTROLLER', undefined, { controllerAddress: this.address })
    const before = this.onCall(method)
    if (before !== undefined) throw before
    const answer = this.#answer(method, request)
    const after = this.onAnswer(method)
    if (after !== undefined) throw after
    return answer as ResponseOf<M>
  }

  count (method: string): number {
    return this.calls.filter(call => call.method === method).length
  }

  open (): Stream<never> { throw new Error('no streams here') }
  async listen (): Promise<Listener> { throw new Error('nobody listens here') }
  identify (): void {}
  forget (): void {}
  async close (): Promise<void> {}

  #answer (method: string, request: unknown): unknown {
    if (method === 'ApplyTopic') return { topic: this.#apply(request as ApplyTopicRequest) }
    if (method === 'DeleteTopic') return this.#delete(request as DeleteTopicRequest)
    if (method === 'DescribeCluster') return this.#describe()
    if (method === 'DrainBrokers') return { drains: this.brokers.drain((request as DrainBrokersRequest).brokerIds) }
    if (method === 'PlanBrokers') return this.foreseen
    if (method === 'RestoreTables') return { tables: [{ table: 'events-0', reason: this.restoring }] }
    if (method === 'MaintainBrokers') {
      this.brokers.resting = (request as MaintainBrokersRequest).brokerIds
      this.maintained.push(this.brokers.resting.join())
      return { brokers: this.brokers.resting.map(brokerId => ({ brokerId, leading: this.leading })) }
    }
    if (method === 'RemoveBroker') {
      this.brokers.remove((request as RemoveBrokerRequest).brokerId)
      return {}
    }
    throw new WireError('UNIMPLEMENTED')
  }

  #apply (request: ApplyTopicRequest): TopicStatus {
    const known = this.topics.get(request.name)
    if (known !== undefined) checkChange(known, request)
    const { replicas } = request
    const there = this.brokers.staying.length
    if (replicas > there) {
      throw new WireError('NOT_ENOUGH_BROKERS', `${replicas} replicas need as many brokers, there are ${there}`)
    }
    const topic: StoredTopic = known ?? {
      topicId: (++this.#lastId).toString(16).padStart(16, '0'),
      settings: request,
      orphaned: false,
      ownerUid: '',
      offline: 0,
      underReplicated: 0,
      moving: 0,
      recovered: []
    }
    if (replicas !== topic.settings.replicas) topic.moving = request.partitions
    Object.assign(topic, { settings: request, orphaned: false, ownerUid: request.ownerUid })
    this.topics.set(request.name, topic)
    return this.#status(topic)
  }

  #delete (request: DeleteTopicRequest): object {
    const known = this.topics.get(request.name)
    if (known === undefined || known.topicId !== request.topicId) throw new WireError('UNKNOWN_TOPIC')
    if (request.deleteData) {
      this.topics.delete(request.name)
      this.deleted.push(request.name)
    } else {
      known.orphaned = true
      known.ownerUid = ''
    }
    return {}
  }

  #describe (): DescribeClusterResponse {
    const topics = [...this.topics.values()]
    return {
      controller: this.controller,
      controllerEpoch: 1,
      brokers: this.brokers.info(),
      topics: topics.map(topic => this.#status(topic)),
      partitions: topics.reduce((sum, topic) => sum + topic.settings.partitions, 0),
      underReplicated: this.underReplicated + topics.reduce((sum, topic) => sum + topic.underReplicated, 0),
      underMinInSync: 0,
      offline: topics.reduce((sum, topic) => sum + topic.offline, 0),
      moves: this.moves,
      drains: this.brokers.drains(),
      underReplicatedUnexpectedly: this.unexpectedly ?? this.underReplicated,
      indispensable: [...this.indispensable],
      lowDisks: this.lowDisks.map(disk => ({ ...disk }))
    }
  }

  #status (topic: StoredTopic): TopicStatus {
    const { ownerUid: _owner, ...settings } = topic.settings
    const { topicId, orphaned, ownerUid, underReplicated, offline, moving, recovered } = topic
    return {
      topic: { ...settings, topicId, internal: settings.name.startsWith('__'), deleting: false, orphaned },
      orphaned,
      ownerUid,
      underReplicated,
      underMinInSync: 0,
      offline,
      replicasInSync: settings.replicas,
      recovered: [...recovered],
      moving
    }
  }
}

function checkChange (known: StoredTopic, request: ApplyTopicRequest): void {
  if (!known.orphaned && known.ownerUid !== request.ownerUid) throw new WireError('TOPIC_CONFLICT')
  if (request.partitions < known.settings.partitions) throw new WireError('PARTITIONS_SHRINK')
}
