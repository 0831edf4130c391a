// The groups that this broker coordinates: those whose partition of __groups it leads.
import { WireError } from '../../wire/errors.ts'
import type { CommittedOffset, DescribeGroupResponse, GroupSummary, Sent } from '../../wire/messages.ts'
import { partitionOfKey } from '../../wire/murmur2.ts'
import type { Clock, Net } from '../../wire/ports.ts'
import { utf8 } from '../../wire/bytes.ts'
import type { Log } from '../io/ports.ts'
import {
  groupExpiryMsDefault, groupIdLengthMax, groupLagSeriesMax, offsetMetadataBytesMax, offsetsPerRequestMax
} from '../limits.ts'
import type { Partitions } from '../partition/contract.ts'
import type { ClusterView } from '../session/contract.ts'
import type { AssignorTopic } from './assignors.ts'
import { describe, summarize, toCommitted } from './describe.ts'
import { GroupPartition } from './group-partition.ts'
import type { GroupLag } from './lags.ts'
import type { QueueDesk } from './queue-desk.ts'
import type { QueueLoad } from './queue-loads.ts'
import { queueLoads } from './queue-loads.ts'
import { GroupLags } from './lags.ts'
import type { GroupOffset } from './records.ts'
import { nameOf } from './records.ts'
import type { Group } from './group.ts'

export const groupsTopic = '__groups'

export interface GroupCoordinatorPorts {
  readonly clock: Clock
  readonly net: Net
  readonly log: Log
  readonly partitions: Partitions
  readonly view: ClusterView
  /** How long an unused group is remembered at first; 0: for ever; a week unless set. */
  readonly expiryMs?: number
}

/** Who commits or asks: a member with the epoch of its last assignment, or nobody in particular. */
export interface Committer {
  readonly memberId: string
  readonly memberEpoch: number
  readonly sequence: number
}

export const nobody: Committer = { memberId: '', memberEpoch: 0, sequence: 0 }

export class GroupCoordinator {
  readonly #ports: GroupCoordinatorPorts
  readonly #led = new Map<number, GroupPartition>()
  readonly #lags: GroupLags
  #expiryMs: number

  constructor (ports: GroupCoordinatorPorts) {
    this.#ports = ports
    this.#expiryMs = ports.expiryMs ?? groupExpiryMsDefault
    this.#lags = new GroupLags(ports, () => this.#groups())
    ports.partitions.onLeadership(groupsTopic, (partition, leading) => {
      if (leading) this.#lead(partition)
      else this.#resign(partition)
    })
  }

  * #groups (): Generator<Group> {
    for (const partition of this.#led.values()) yield * partition.groups()
  }

  * #queues (): Generator<readonly [Group, QueueDesk | undefined]> {
    for (const partition of this.#led.values()) {
      for (const group of partition.groups()) yield [group, partition.queue(group.name)]
    }
  }

  /** How far groups are behind that are coordinated here, as of some seconds ago. */
  get lags (): readonly GroupLag[] { return this.#lags.all }

  /** Queue groups that are coordinated here, by group and topic; limits.groupLagSeriesMax at most. */
  queues (): QueueLoad[] {
    return queueLoads(this.#queues(), this.#ports.clock.wallTime(), groupLagSeriesMax)
  }

  /** Groups that the log knows, over the partitions led here. */
  get groupsCount (): number {
    return [...this.#led.values()].reduce((sum, partition) => sum + partition.groupsCount, 0)
  }

  /** Members of groups, over the partitions led here. */
  get membersCount (): number {
    return [...this.#groups()].reduce((sum, { members }) => sum + members.size, 0)
  }

  /** How long groups that nobody uses are remembered from now on, in milliseconds; 0: for ever. */
  rememberFor (expiryMs: number): void {
    this.#expiryMs = expiryMs
  }

  close (): void {
    this.#lags.close()
    for (const partition of this.#led.values()) partition.resign(new WireError('NOT_COORDINATOR'))
    this.#led.clear()
  }

  /**
   * Resolves when all offsets are durable on the quorum; each is answered, with an error of its own where it
   * has no effect (UNKNOWN_TOPIC, FENCED_MEMBER, GROUP_NOT_EMPTY). Rejects with NOT_COORDINATOR,
   * COORDINATOR_LOADING, INVALID_REQUEST ...
   */
  async commit (group: string, offsets: readonly CommittedOffset[],
    by: Committer = nobody): Promise<CommittedOffset[]> {
    const partition = this.partitionOf(group)
    if (offsets.length > offsetsPerRequestMax) {
      throw new WireError('INVALID_REQUEST', `more than ${offsetsPerRequestMax} offsets in one request`)
    }
    const { memberId: member, memberEpoch: epoch, sequence } = by
    const committedAt = this.#ports.clock.wallTime()
    const answers: CommittedOffset[] = []
    const sound: { readonly entry: GroupOffset, readonly index: number }[] = []
    for (const [index, offset] of offsets.entries()) {
      const topicId = this.#topicIdOf(offset)
      if (topicId === undefined) {
        answers.push(refused(offset, new WireError('UNKNOWN_TOPIC', `there is no topic '${offset.topic}'`)))
        continue
      }
      const entry = { ...check(offset), group, topicId, committedAt, member, epoch, sequence }
      sound.push({ entry, index })
      answers.push(toCommitted(entry))
    }
    await new Promise<void>((resolve, reject) => {
      let open = sound.length
      let failed: WireError | undefined
      if (open === 0) resolve()
      let at = 0
      partition.commit(sound.map(({ entry }) => entry), (error, verdict) => {
        const { index } = sound[at++]!
        failed ??= error
        if (verdict === 'FENCED_MEMBER' || verdict === 'GROUP_NOT_EMPTY') {
          answers[index] = refused(offsets[index]!, new WireError(verdict))
        }
        if (--open > 0) return
        if (failed === undefined) resolve()
        else reject(this.#asCoordinatorError(failed, group))
      })
    })
    return answers
  }

  /**
   * What the group has committed in the partitions asked for, in all when none is. A member says its epoch:
   * one that is not known here was given out by a later coordinator.
   */
  committed (group: string, wanted: readonly CommittedOffset[], by: Committer = nobody): CommittedOffset[] {
    const found = this.partitionOf(group).group(group)
    if (by.memberId !== '' && (found?.members.get(by.memberId)?.epoch ?? -1) < by.memberEpoch) {
      throw new WireError('NOT_COORDINATOR', 'that epoch of the member is not known here')
    }
    const all = [...found?.offsets.values() ?? []]
    if (wanted.length === 0) return all.map(toCommitted)
    const asked = new Set(wanted.map(offset => nameOf(this.#topicIdOf(offset) ?? '', offset.partition)))
    return all.filter(({ topicId, partition }) => asked.has(nameOf(topicId, partition))).map(toCommitted)
  }

  /** @throws WireError COORDINATOR_LOADING while it is not known what there is. */
  list (): Sent<GroupSummary>[] {
    if ([...this.#led.values()].some(({ ready }) => !ready)) throw new WireError('COORDINATOR_LOADING')
    return [...this.#led.values()].flatMap(partition =>
      partition.groups().map(group => summarize(group, partition.desk(group.name))))
  }

  /** @throws WireError UNKNOWN_GROUP, NOT_COORDINATOR, COORDINATOR_LOADING. */
  describe (name: string): Sent<DescribeGroupResponse> {
    const partition = this.partitionOf(name)
    const group = partition.group(name)
    if (group === undefined) throw new WireError('UNKNOWN_GROUP', `no group ${name}`)
    return describe(group, partition.desk(name), partition.queue(name), topicId => this.#topicName(topicId))
  }

  async delete (name: string): Promise<void> {
    try {
      await this.partitionOf(name).delete(name)
    } catch (error) {
      throw error instanceof WireError ? this.#asCoordinatorError(error, name) : error
    }
  }

  #topicIdOf (offset: CommittedOffset): string | undefined {
    const { view } = this.#ports
    if (offset.topicId !== '') return view.topicById(offset.topicId)?.topicId
    return view.topicByName(offset.topic)?.topicId
  }

  #topicName (topicId: string): string {
    return this.#ports.view.topicById(topicId)?.name ?? ''
  }

  #topicOf (name: string): AssignorTopic | undefined {
    const { view } = this.#ports
    const topic = view.topicByName(name)
    if (topic === undefined || topic.deleting) return undefined
    const { topicId, partitions } = topic
    const racksOf = (partition: number): string[] => {
      const row = view.row(topicId, partition)
      if (row === undefined) return []
      const racks = [row.leader, ...row.inSync.map(({ brokerId }) => brokerId)].map(id => view.broker(id)?.rack ?? '')
      return [...new Set(racks)].filter(rack => rack !== '')
    }
    return { topicId, partitions, racksOf }
  }

  /** @throws WireError NOT_COORDINATOR with who is, INVALID_REQUEST. */
  partitionOf (group: string): GroupPartition {
    if (group === '' || group.length > groupIdLengthMax) {
      throw new WireError('INVALID_REQUEST', `a group id has 1 to ${groupIdLengthMax} characters`)
    }
    const { view } = this.#ports
    const topic = view.topicByName(groupsTopic)
    if (topic === undefined) throw new WireError('COORDINATOR_LOADING', 'the cluster has no group topic yet')
    const index = partitionOfKey(utf8(group), topic.partitions)
    const led = this.#led.get(index)
    if (led !== undefined) return led
    throw this.#notHere(index)
  }

  #notHere (index: number): WireError {
    const { view } = this.#ports
    const row = view.row(view.topicByName(groupsTopic)?.topicId ?? '', index)
    const leader = row?.leader ?? -1
    return new WireError('NOT_COORDINATOR', undefined, {
      leader, leaderEpoch: row?.leaderEpoch ?? -1, leaderAddress: view.broker(leader)?.clientAddress ?? ''
    })
  }

  /** Towards a client the partition of __groups is the coordinator. */
  #asCoordinatorError (error: WireError, group: string): WireError {
    if (error.code === 'NOT_LEADER') return new WireError('NOT_COORDINATOR', undefined, error.detail)
    if (error.code !== 'NOT_COORDINATOR' || error.detail.leader !== undefined) return error
    const partitions = this.#ports.view.topicByName(groupsTopic)?.partitions
    return partitions === undefined ? error : this.#notHere(partitionOfKey(utf8(group), partitions))
  }

  #lead (partition: number): void {
    const { view } = this.#ports
    const led = this.#led.get(partition) ?? new GroupPartition({
      ...this.#ports,
      expiryMs: () => this.#expiryMs,
      topicOf: name => this.#topicOf(name),
      topicName: topicId => this.#topicName(topicId),
      isGone: topicId => view.loaded && view.topicById(topicId) === undefined
    }, { topic: groupsTopic, topicId: '', partition })
    this.#led.set(partition, led)
    led.lead()
  }

  #resign (partition: number): void {
    const led = this.#led.get(partition)
    this.#led.delete(partition)
    led?.resign(this.#notHere(partition))
  }
}

function refused (offset: CommittedOffset, error: WireError): CommittedOffset {
  return { ...offset, error: error.toDetail() as NonNullable<CommittedOffset['error']> }
}

type Checked = Pick<GroupOffset, 'topic' | 'partition' | 'offset' | 'leaderEpoch' | 'metadata'>

function check (offset: CommittedOffset): Checked {
  const { topic, partition, leaderEpoch, metadata } = offset
  if (!Number.isSafeInteger(offset.offset) || offset.offset < 0) {
    throw new WireError('INVALID_REQUEST', `offset ${offset.offset} of ${topic}/${partition} is not an offset`)
  }
  if (partition < 0) throw new WireError('INVALID_REQUEST', `partition ${partition} of ${topic} is not a partition`)
  if (metadata.length > offsetMetadataBytesMax || utf8(metadata).length > offsetMetadataBytesMax) {
    const message = `metadata of a committed offset is limited to ${offsetMetadataBytesMax} bytes`
    throw new WireError('INVALID_REQUEST', message)
  }
  return { topic, partition, offset: offset.offset, leaderEpoch, metadata }
}
