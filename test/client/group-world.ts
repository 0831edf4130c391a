// The world of the client's tests with the broker's real coordinators, over one log of __groups.
import { GroupCoordinator } from '../../broker/group/coordinator.ts'
import { groupServices } from '../../broker/rpc/groups.ts'
import { groupOffsetsServices } from '../../broker/rpc/offsets-commit.ts'
import type { ClusterView } from '../../broker/session/contract.ts'
import type { CommittedOffset } from '../../wire/messages.ts'
import type { Services } from '../../wire/ports.ts'
import { WireError } from '../../wire/errors.ts'
import { FakePartitions } from '../broker/group/fake-partitions.ts'
import { World } from './world.ts'

const log = { debug () {}, info () {}, warn () {}, error () {} }

/** What the codec makes of fields that were not sent. */
function whole<R extends { readonly offsets: CommittedOffset[] }> (request: R): R {
  const bare = { topic: '', topicId: '', partition: 0, offset: 0, leaderEpoch: 0, metadata: '', committedAt: 0 }
  const offsets = request.offsets.map(offset => ({ ...bare, ...offset }))
  return { memberId: '', memberEpoch: 0, sequence: 0, ...request, offsets }
}

export class GroupWorld extends World {
  readonly partitions = new FakePartitions()
  coordinators: GroupCoordinator[]

  constructor () {
    super((id): Services => {
      // Looked up at each call: a broker that takes over is another coordinator.
      const offsets = (): Services => groupOffsetsServices(this.coordinators[id]!)
      const groups = (): Services => groupServices(this.coordinators[id]!)
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
    })
    this.cluster.create('__groups', 1)
    // Nobody but the leader hears of the log.
    this.coordinators = this.cluster.addresses.map(() => this.#coordinator(new FakePartitions()))
    this.takeOver(0)
  }

  #coordinator (partitions: FakePartitions): GroupCoordinator {
    const { cluster, clock } = this
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
    return new GroupCoordinator({ clock, log, partitions, view })
  }

  /** The broker leads the log of groups from now on. */
  takeOver (id: number): void {
    const before = this.cluster.partition('__groups', 0).leader
    this.partitions.lead(0, false)
    this.partitions.failAll(new WireError('NOT_LEADER'))
    this.cluster.elect('__groups', 0, id)
    if (before !== id) this.coordinators[before] = this.#coordinator(new FakePartitions())
    this.coordinators[id] = this.#coordinator(this.partitions)
    this.partitions.lead(0, true)
  }
}
