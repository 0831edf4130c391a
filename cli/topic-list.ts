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
  return exitCodes.ok
}

function health ({ topic, partitions }: TopicMetadata): { leaderless: number, underReplicated: number } {
  return {
    leaderless: partitions.filter(({ leader }) => leader < 0).length,
    underReplicated: partitions.filter(({ inSync }) => inSync.length < (topic?.replicas ?? 0)).length
  }
}

function row (each: TopicMetadata): (string | number)[] {
  const { name, partitions, replicas, minInSync, retentionMs, retentionBytes, deleting } = each.topic!
  const { leaderless, underReplicated } = health(each)
  const retention = retentionBytes < 0 ? duration(retentionMs) : `${duration(retentionMs)}, ${bytes(retentionBytes)}`
  const lagging = underReplicated > 0 ? `${underReplicated} under-replicated` : 'ok'
  const serving = leaderless > 0 ? `${leaderless} without leader` : lagging
  return [name, partitions, replicas, minInSync, retention, deleting ? 'deleting' : serving]
}
