// The broker's real coordinators behind the brokers of FakeCluster, over one log of __groups with one partition.
import { GroupCoordinator } from '../../broker/group/coordinator.ts'
import { groupServices } from '../../broker/rpc/groups.ts'
import { groupOffsetsServices } from '../../broker/rpc/offsets-commit.ts'
import type { ClusterView } from '../../broker/session/contract.ts'
import { WireError } from '../../wire/errors.ts'
import type { CommittedOffset } from '../../wire/messages.ts'
import type { Clock, Net, Services } from '../../wire/ports.ts'
import { FakePartitions } from '../broker/group/fake-partitions.ts'
import type { FakeCluster } from './fake-cluster.ts'

const log = { debug () {}, info () {}, warn () {}, error () {} }

/** What the codec makes of fields that were not sent. */
function whole<R extends { readonly offsets: CommittedOffset[] }> (request: R): R {
  const bare = { topic: '', topicId: '', partition: 0, offset: 0, leaderEpoch: 0, metadata: '', committedAt: 0 }
  const offsets = request.offsets.map(offset => ({ ...bare, ...offset }))
  return { memberId: '', memberEpoch: 0, sequence: 0, ...request, offsets }
}

export class Coordinators {
  readonly log = new FakePartitions()
  all: GroupCoordinator[] = []
  readonly #clock: Clock
  readonly #net: Net
  #cluster: FakeCluster | undefined

  constructor (clock: Clock, net: Net) {
    this.#clock = clock
    this.#net = net
  }

  /** Broker 0 leads the log at first. */
  begin (cluster: FakeCluster): void {
    this.#cluster = cluster
    cluster.create('__groups', 1)
    // Nobody but the leader hears of the log.
    this.all = cluster.addresses.map(() => this.#coordinator(cluster, new FakePartitions()))
    this.takeOver(0)
  }

  /** What a broker serves; looked up at each call, since a broker that takes over is another coordinator. */
  services (id: number): Services {
    const offsets = (): Services => groupOffsetsServices(this.all[id]!)
    const groups = (): Services => groupServices(this.all[id]!)
    return {
      streams: { GroupSession: (stream, context) => groups().streams!.GroupSession!(stream, context) },
      unary: {
        CommitOffsets: (request, context) => offsets().unary!.CommitOffsets!(whole(request), context),
        GetCommittedOffsets: (request, context) => offsets().unary!.GetCommittedOffsets!(whole(request), context),
        ListGroups: (request, context) => groups().unary!.ListGroups!(request, context),
        DescribeGroup: (request, context) => groups().unary!.DescribeGroup!(request, context),
        DeleteGroup: (request, context) => groups().unary!.DeleteGroup!(request, context)
      }
    }
  }

  #coordinator (cluster: FakeCluster, partitions: FakePartitions): GroupCoordinator {
    const topics = () => [...cluster.topics.values()].map(({ info }) => info)
    const view = {
      loaded: true,
      topicByName: (name: string) => cluster.topics.get(name)?.info,
      topicById: (id: string) => topics().find(({ topicId }) => topicId === id),
      row: (id: string, partition: number) => {
        const name = topics().find(({ topicId }) => topicId === id)?.name ?? ''
        return cluster.topics.get(name)?.partitions[partition]
      },
      broker: (id: number) => ({ clientAddress: cluster.addresses[id] ?? '', rack: `rack-${id}` })
    } as unknown as ClusterView
    return new GroupCoordinator({ clock: this.#clock, net: this.#net, log, partitions, view })
  }

  /** The broker leads the log of groups from now on. */
  takeOver (id: number): void {
    const cluster = this.#cluster!
    const before = cluster.partition('__groups', 0).leader
    this.log.lead(0, false)
    this.log.failAll(new WireError('NOT_LEADER'))
    cluster.elect('__groups', 0, id)
    if (before !== id) this.all[before] = this.#coordinator(cluster, new FakePartitions())
    this.all[id] = this.#coordinator(cluster, this.log)
    this.log.lead(0, true)
  }
}
