// millrace topic list: every topic that the brokers serve.
import type { TopicMetadata } from '../wire/messages.ts'
import { withClient } from './connect.ts'
import type { ConnectOptions } from './connect.ts'
import { exitCodes } from './exit.ts'
import { note } from './notes.ts'
import { print } from './output.ts'
import { bytes, duration, table } from './table.ts'

export interface TopicListOptions extends ConnectOptions {
  readonly internal?: boolean
  readonly json?: boolean
}

export async function topicList (options: TopicListOptions): Promise<number> {
  const topics = await withClient(options, client =>
    client.admin().listTopics({ timeoutMs: options.timeout, internal: options.internal === true }))
  if (options.json === true) {
    await print(topics.map(each => `${JSON.stringify({ ...each.topic, ...health(each) })}\n`).join(''))
    return exitCodes.ok
  }
  if (topics.length === 0) note('no topics; create one: millrace topic create NAME')
  else await print(table(['NAME', 'PARTITIONS', 'REPLICAS', 'MIN-IN-SYNC', 'RETENTION', 'STATE'], topics.map(row)))
  const orphans = topics.filter(({ topic }) => topic?.orphaned === true)
  if (orphans.length > 0) {
    const name = orphans[0]!.topic!.name
    note(`orphaned: no Topic object owns it any more; it keeps being served. Adopt it: millrace topic create ${name}`)
  }
  return exitCodes.ok
}

function health ({ topic, partitions }: TopicMetadata): { leaderless: number, underReplicated: number } {
  return {
    leaderless: partitions.filter(({ leader }) => leader < 0).length,
    // Replicas that a move adds are not missed while they catch up.
    underReplicated: partitions.filter(({ inSync, replicas, adding }) =>
      inSync.length < Math.min(topic?.replicas ?? 0, replicas.length - adding.length)).length
  }
}

function row (each: TopicMetadata): (string | number)[] {
  const { name, partitions, replicas, minInSync, retentionMs, retentionBytes, deleting, orphaned } = each.topic!
  const { leaderless, underReplicated } = health(each)
  const retention = retentionBytes < 0 ? duration(retentionMs) : `${duration(retentionMs)}, ${bytes(retentionBytes)}`
  const lagging = underReplicated > 0 ? `${underReplicated} under-replicated` : 'ok'
  const serving = leaderless > 0 ? `${leaderless} without leader` : lagging
  // Nobody keeps its settings, and deleting its Topic object cannot delete it: that is not how it is to be.
  const owned = orphaned ? serving === 'ok' ? 'orphaned' : `orphaned, ${serving}` : serving
  return [name, partitions, replicas, minInSync, retention, deleting ? 'deleting' : owned]
}
