// millrace topic describe: the partitions of a topic, their leaders, in-sync sets and offsets.
import { MillraceError } from '../client/errors.ts'
import type { ListedOffset } from '../client/offsets.ts'
import type { PartitionRow, TopicInfo } from '../wire/messages.ts'
import { withClient } from './connect.ts'
import type { ConnectOptions } from './connect.ts'
import { exitCodes } from './exit.ts'
import { print } from './output.ts'
import { bytes, duration, orDash, table } from './table.ts'

export interface TopicDescribeOptions extends ConnectOptions {
  readonly json?: boolean
}

interface Described {
  readonly row: PartitionRow
  /** Undefined while no leader answers. */
  readonly start: number | undefined
  readonly end: number | undefined
}

export async function topicDescribe (name: string, options: TopicDescribeOptions): Promise<number> {
  const { timeout: timeoutMs } = options
  const { topic, partitions } = await withClient(options, async client => {
    const admin = client.admin()
    const described = await admin.describeTopic(name, { timeoutMs })
    const places = described.partitions.map(({ partition }) => ({ topic: name, partition }))
    const offsets = await admin.peekOffsets([
      ...places.map(place => ({ ...place, at: 'start' as const })),
      ...places.map(place => ({ ...place, at: 'end' as const }))
    ], { timeoutMs })
    const partitions = described.partitions.map((row, index): Described => ({
      row, start: offsetOf(offsets[index]), end: offsetOf(offsets[places.length + index])
    }))
    return { topic: described.topic!, partitions }
  })
  await print(options.json === true ? asJson(topic, partitions) : asText(topic, partitions))
  return exitCodes.ok
}

function offsetOf (answer: ListedOffset | MillraceError | undefined): number | undefined {
  return answer === undefined || answer instanceof MillraceError ? undefined : answer.offset
}

function asJson (topic: TopicInfo, partitions: readonly Described[]): string {
  return `${JSON.stringify({
    ...topic,
    partitions: partitions.map(({ row, start, end }) => ({
      partition: row.partition,
      leader: row.leader,
      leaderEpoch: row.leaderEpoch,
      replicas: row.replicas,
      inSync: row.inSync.map(({ brokerId }) => brokerId),
      startOffset: start ?? null,
      endOffset: end ?? null
    }))
  }, undefined, 2)}\n`
}

function asText (topic: TopicInfo, partitions: readonly Described[]): string {
  const { name, topicId, replicas, minInSync, retentionMs, retentionBytes, segmentBytes } = topic
  const facts = `Topic       ${name}\nId          ${topicId}\n` +
    `Replicas    ${replicas}, at least ${minInSync} in sync\n` +
    `Retention   age ${duration(retentionMs)}, bytes ${bytes(retentionBytes)} a partition, ` +
    `segments of ${bytes(segmentBytes)}\n\n`
  return facts + table(['PARTITION', 'LEADER', 'EPOCH', 'REPLICAS', 'IN-SYNC', 'START', 'END', 'RECORDS'],
    partitions.map(({ row, start, end }) => [
      row.partition, orDash(row.leader), row.leaderEpoch, row.replicas.join(','),
      row.inSync.map(({ brokerId }) => brokerId).join(','), orDash(start), orDash(end),
      start === undefined || end === undefined ? '-' : String(end - start)
    ]))
}
