// millrace partition list: who has each partition, who leads it, what moves.
import type { PartitionRow, TopicMetadata } from '../wire/messages.ts'
import { withClient } from './connect.ts'
import type { ConnectOptions } from './connect.ts'
import { exitCodes } from './exit.ts'
import { note } from './notes.ts'
import { print } from './output.ts'
import { orDash, table } from './table.ts'

export interface PartitionListOptions extends ConnectOptions {
  readonly moving?: boolean
  readonly troubled?: boolean
  readonly internal?: boolean
  readonly json?: boolean
}

interface Listed {
  readonly topic: string
  readonly row: PartitionRow
}

export async function partitionList (topic: string | undefined, options: PartitionListOptions): Promise<number> {
  const topics = await withClient(options, async (client): Promise<TopicMetadata[]> => {
    const { timeout: timeoutMs, internal = false } = options
    const admin = client.admin()
    return topic === undefined
      ? await admin.listTopics({ timeoutMs, internal })
      : [await admin.describeTopic(topic, { timeoutMs })]
  })
  const all = topics.flatMap(each => each.partitions.map((row): Listed => ({ topic: each.topic!.name, row })))
  const listed = all.filter(({ row }) =>
    (options.moving !== true || isMoving(row)) && (options.troubled !== true || stateOf(row) !== 'ok'))
  if (options.json === true) {
    await print(listed.map(each => `${JSON.stringify(asJson(each))}\n`).join(''))
    return exitCodes.ok
  }
  if (listed.length === 0) {
    note(all.length === 0 ? 'no partitions' : `none of ${all.length} partitions`)
    return exitCodes.ok
  }
  await print(table(['PARTITION', 'LEADER', 'EPOCH', 'REPLICAS', 'IN-SYNC', 'MOVING', 'STATE'],
    listed.map(({ topic: name, row }) => [
      `${name}/${row.partition}`, orDash(row.leader), row.leaderEpoch, targetOf(row).join(','),
      members(row).join(',') || '-', movingText(row), stateOf(row)
    ])))
  return exitCodes.ok
}

function asJson ({ topic, row }: Listed): object {
  const { partition, leader, leaderEpoch, adding, removing } = row
  return {
    topic, partition, leader, leaderEpoch, replicas: targetOf(row), inSync: members(row), adding, removing,
    state: stateOf(row)
  }
}

function members ({ inSync }: PartitionRow): number[] {
  return inSync.map(({ brokerId }) => brokerId)
}

function isMoving ({ adding, removing }: PartitionRow): boolean {
  return adding.length + removing.length > 0
}

/** Those that it is to have, the preferred leader first. */
export function targetOf ({ replicas, removing }: Pick<PartitionRow, 'replicas' | 'removing'>): number[] {
  return replicas.filter(id => !removing.includes(id))
}

/** `+3 -1`: gets broker 3, loses broker 1. */
export function movingText ({ adding, removing }: Pick<PartitionRow, 'adding' | 'removing'>): string {
  const text = [...adding.map(id => `+${id}`), ...removing.map(id => `-${id}`)].join(' ')
  return text === '' ? '-' : text
}

function stateOf (row: PartitionRow): string {
  if (row.leader < 0) return 'no leader'
  const set = members(row)
  if (targetOf(row).some(id => !row.adding.includes(id) && !set.includes(id))) return 'under-replicated'
  if (isMoving(row)) return 'moving'
  return 'ok'
}
