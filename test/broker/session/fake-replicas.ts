// Replicas without logs: made when a row names this broker, with ends that tests set.
import type {
  PartitionKey, PartitionRow, ReplicaEnds, ReplicaIdentity, ReplicaReport, SessionRequest_LearnerProgress,
  SessionResponse_Push
} from '../../../wire/messages.ts'
import type { Clock } from '../../../wire/ports.ts'
import type { ControllerLink, LocalReplicas, Self } from '../../../broker/session/contract.ts'
import { hasIdentity, isNewerRow, partitionKeyText } from '../../../broker/row.ts'

export interface FakeReplica {
  topic: string
  topicId: string
  partition: number
  replicaGen: number
  row: PartitionRow | undefined
  lastEpoch: number
  durableEnd: number
  highWatermark: number
  damaged: string
}

export interface Learner {
  readonly identity: ReplicaIdentity
  readonly brokerEpoch: number
  /** Of the row that it follows by. */
  readonly leaderEpoch: number
}

/** What survives a crash. */
export interface FakeVolume {
  volumeId: string
  bootCount: number
  controllerEpoch: number
  fsyncAgeMs: number
  full?: boolean
  lowMs?: number
  readonly replicas: Map<string, FakeReplica>
}

export class FakeReplicas implements LocalReplicas {
  readonly #self: Self
  readonly #volume: FakeVolume
  readonly #link: ControllerLink
  /** Epochs that this process may lead in begin above what its disk held. */
  readonly #epochAtStart = new Map<string, number>()
  starvedKeys: PartitionKey[] = []
  unreachableIds: number[] = []
  learning: SessionRequest_LearnerProgress[] = []
  pushes: SessionResponse_Push[] = []
  removed: string[] = []
  /** Where learners of partitions led here are: asked for their identity, as followers would tell. */
  learners: ((brokerId: number, topicId: string, partition: number) => Learner | undefined) | undefined
  nextGen = 1_000

  constructor (self: Self, volume: FakeVolume, link: ControllerLink) {
    this.#self = self
    this.#volume = volume
    this.#link = link
    for (const [key, replica] of volume.replicas) this.#epochAtStart.set(key, replica.row?.leaderEpoch ?? 0)
  }

  get (topicId: string, partition: number): FakeReplica | undefined {
    return this.#volume.replicas.get(partitionKeyText(topicId, partition))
  }

  /** May this very process lead the partition by the row it knows? */
  leads (topicId: string, partition: number): boolean {
    const row = this.get(topicId, partition)?.row
    const key = partitionKeyText(topicId, partition)
    return row !== undefined && row.leader === this.#self.brokerId &&
      row.leaderEpoch > (this.#epochAtStart.get(key) ?? 0)
  }

  reports (): ReplicaReport[] {
    return [...this.#volume.replicas.values()].map(report)
  }

  ends (keys: readonly PartitionKey[]): ReplicaEnds[] {
    return keys.map(({ topicId, partition }) => {
      const replica = this.get(topicId, partition)
      const { brokerId, volumeId } = this.#self
      return {
        topicId,
        partition,
        identity: replica === undefined ? undefined : { brokerId, volumeId, replicaGen: replica.replicaGen },
        lastEpoch: replica?.lastEpoch ?? -1,
        durableEnd: replica?.durableEnd ?? 0,
        highWatermark: replica?.highWatermark ?? 0,
        present: replica !== undefined && replica.damaged === ''
      }
    })
  }

  apply (push: SessionResponse_Push): void {
    this.pushes.push(push)
    for (const row of push.rows) this.#adopt(row)
    for (const { topicId, partition, replicaGen } of push.remove) {
      const key = partitionKeyText(topicId, partition)
      const replica = this.#volume.replicas.get(key)
      if (replica === undefined || replica.replicaGen !== replicaGen ||
        this.#link.view.row(topicId, partition)?.replicas.includes(this.#self.brokerId) === true) continue
      this.#volume.replicas.delete(key)
      this.removed.push(key)
      this.#link.reportReplicas([{ ...report(replica), removed: true }])
    }
  }

  /** Leads as a leader does: takes learners into the set, again and again until the row says so. */
  play (clock: Clock): void {
    clock.setTimer(200, () => {
      this.play(clock)
      for (const { topicId, partition, row } of this.#volume.replicas.values()) {
        if (row !== undefined && this.leads(topicId, partition)) this.#admit(row)
      }
    })
  }

  #admit (row: PartitionRow): void {
    for (const brokerId of row.replicas) {
      const learner = this.learners?.(brokerId, row.topicId, row.partition)
      if (learner === undefined || learner.leaderEpoch !== row.leaderEpoch ||
        hasIdentity(row.inSync, learner.identity)) continue
      const { topicId, partition, leaderEpoch, version } = row
      const { identity, brokerEpoch } = learner
      this.#link.changeInSync({
        topicId,
        partition,
        leaderEpoch,
        version,
        inSync: [...row.inSync.filter(member => member.brokerId !== brokerId), identity],
        added: [{ identity, brokerEpoch, durableEnd: 0 }]
      }, (_error, newer) => { if (newer !== undefined) this.#adopt(newer) })
      return
    }
  }

  starved (): PartitionKey[] { return this.starvedKeys }
  unreachable (): number[] { return this.unreachableIds }
  learnerProgress (): SessionRequest_LearnerProgress[] { return this.learning }

  #adopt (row: PartitionRow): void {
    const { brokerId, volumeId } = this.#self
    if (!row.replicas.includes(brokerId)) return
    const key = partitionKeyText(row.topicId, row.partition)
    let replica = this.#volume.replicas.get(key)
    if (replica !== undefined && hasIdentity(row.barred, { brokerId, volumeId, replicaGen: replica.replicaGen })) {
      // A person declared it lost: it begins anew, as a learner.
      Object.assign(replica, { replicaGen: this.nextGen++, lastEpoch: -1, durableEnd: 0, highWatermark: 0, row })
      this.#link.reportReplicas([report(replica)])
    }
    if (replica === undefined) {
      const first = row.inSync.some(member =>
        member.brokerId === brokerId && member.volumeId === volumeId && member.replicaGen === 0)
      replica = {
        topic: this.#link.view.topicById(row.topicId)?.name ?? '', topicId: row.topicId, partition: row.partition,
        replicaGen: first ? 0 : this.nextGen++, row: undefined,
        lastEpoch: -1, durableEnd: 0, highWatermark: 0, damaged: ''
      }
      this.#volume.replicas.set(key, replica)
      this.#link.reportReplicas([report(replica)])
    }
    if (isNewerRow(row, replica.row)) replica.row = row
  }
}

function report (replica: FakeReplica): ReplicaReport {
  const { topicId, partition, replicaGen, row, lastEpoch, durableEnd, highWatermark, damaged } = replica
  return {
    topicId, partition, topic: replica.topic, replicaGen, row, logStart: 0, durableEnd, highWatermark, lastEpoch,
    leaderEpochSeen: row?.leaderEpoch ?? 0, damaged, removed: false
  }
}
