// The groups that this broker coordinates: those whose partition of __groups it leads.
import { WireError } from '../../wire/errors.ts'
import type { CommittedOffset } from '../../wire/messages.ts'
import { partitionOfKey } from '../../wire/murmur2.ts'
import type { Clock } from '../../wire/ports.ts'
import { utf8 } from '../../wire/bytes.ts'
import type { Log } from '../io/ports.ts'
import { groupIdLengthMax, offsetMetadataBytesMax, offsetsPerRequestMax } from '../limits.ts'
import type { Partitions } from '../partition/contract.ts'
import type { ClusterView } from '../session/contract.ts'
import { GroupPartition } from './group-partition.ts'
import { toCommitted, type GroupOffset } from './offset-record.ts'

export const groupsTopic = '__groups'

export interface GroupCoordinatorPorts {
  readonly clock: Clock
  readonly log: Log
  readonly partitions: Partitions
  readonly view: ClusterView
}

export class GroupCoordinator {
  readonly #ports: GroupCoordinatorPorts
  readonly #led = new Map<number, GroupPartition>()

  constructor (ports: GroupCoordinatorPorts) {
    this.#ports = ports
    ports.partitions.onLeadership(groupsTopic, (partition, leading) => {
      if (leading) this.#lead(partition)
      else this.#resign(partition)
    })
  }

  /** Groups with committed offsets, over the partitions led here. */
  get groupsCount (): number {
    return [...this.#led.values()].reduce((sum, partition) => sum + partition.groupsCount, 0)
  }

  close (): void {
    for (const partition of this.#led.values()) partition.close()
    this.#led.clear()
  }

  /**
   * Resolves when all offsets are durable on the quorum; then each is answered, unknown topics with an
   * error of their own. Rejects with NOT_COORDINATOR, COORDINATOR_LOADING, INVALID_REQUEST ...
   */
  async commit (group: string, offsets: readonly CommittedOffset[]): Promise<CommittedOffset[]> {
    const partition = this.#partitionOf(group)
    if (offsets.length > offsetsPerRequestMax) {
      throw new WireError('INVALID_REQUEST', `more than ${offsetsPerRequestMax} offsets in one request`)
    }
    const committedAt = this.#ports.clock.wallTime()
    const answers: CommittedOffset[] = []
    const sound: GroupOffset[] = []
    for (const offset of offsets) {
      const topicId = this.#topicIdOf(offset)
      if (topicId === undefined) {
        const error = new WireError('UNKNOWN_TOPIC', `there is no topic '${offset.topic}'`)
        answers.push({ ...offset, error: error.toDetail() as NonNullable<CommittedOffset['error']> })
        continue
      }
      const entry = { ...check(offset), group, topicId, committedAt }
      sound.push(entry)
      answers.push(toCommitted(entry))
    }
    if (sound.length > 0) {
      await new Promise<void>((resolve, reject) => {
        partition.commit(sound, error => { if (error === undefined) resolve(); else reject(asCoordinatorError(error)) })
      })
    }
    return answers
  }

  /** What the group has committed in the partitions asked for, in all when none is. */
  committed (group: string, wanted: readonly CommittedOffset[]): CommittedOffset[] {
    const all = this.#partitionOf(group).committed(group)
    if (wanted.length === 0) return all.map(toCommitted)
    const asked = new Set(wanted.map(offset => `${this.#topicIdOf(offset) ?? ''}/${offset.partition}`))
    return all.filter(entry => asked.has(`${entry.topicId}/${entry.partition}`)).map(toCommitted)
  }

  #topicIdOf (offset: CommittedOffset): string | undefined {
    const { view } = this.#ports
    if (offset.topicId !== '') return view.topicById(offset.topicId)?.topicId
    return view.topicByName(offset.topic)?.topicId
  }

  #partitionOf (group: string): GroupPartition {
    if (group === '' || group.length > groupIdLengthMax) {
      throw new WireError('INVALID_REQUEST', `a group id has 1 to ${groupIdLengthMax} characters`)
    }
    const { view } = this.#ports
    const topic = view.topicByName(groupsTopic)
    if (topic === undefined) throw new WireError('COORDINATOR_LOADING', 'the cluster has no group topic yet')
    const index = partitionOfKey(utf8(group), topic.partitions)
    const led = this.#led.get(index)
    if (led !== undefined) return led
    const row = view.row(topic.topicId, index)
    const leader = row?.leader ?? -1
    throw new WireError('NOT_COORDINATOR', undefined, {
      leader, leaderEpoch: row?.leaderEpoch ?? -1, leaderAddress: view.broker(leader)?.clientAddress ?? ''
    })
  }

  #lead (partition: number): void {
    const led = this.#led.get(partition) ?? new GroupPartition({
      ...this.#ports, topicExists: topicId => this.#ports.view.topicById(topicId) !== undefined
    }, { topic: groupsTopic, topicId: '', partition })
    this.#led.set(partition, led)
    led.lead()
  }

  #resign (partition: number): void {
    this.#led.get(partition)?.close()
    this.#led.delete(partition)
  }
}

function check (offset: CommittedOffset): Omit<GroupOffset, 'group' | 'topicId' | 'committedAt'> {
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

/** Towards a client the partition of __groups is the coordinator. */
function asCoordinatorError (error: WireError): WireError {
  if (error.code !== 'NOT_LEADER') return error
  return new WireError('NOT_COORDINATOR', undefined, error.detail)
}
