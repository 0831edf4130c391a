// What is pushed to brokers: the difference that a write made, or everything; in parts of bounded size.
import type { BrokerInfo, PartitionRow, Sent, SessionResponse_Push, TopicInfo } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import { sameBroker } from './table.ts'
import type { Table, TopicEntry } from './table.ts'

export interface News {
  readonly brokers: readonly BrokerInfo[]
  readonly topics: readonly TopicInfo[]
  readonly rows: readonly PartitionRow[]
  readonly topicsRemoved: readonly string[]
}

/** Everything that the tables say. Topics that are being deleted are gone for brokers: only orders speak of them. */
export function everything (tables: Iterable<Table>): News {
  const brokers: BrokerInfo[] = []
  const topics: TopicInfo[] = []
  const rows: PartitionRow[] = []
  for (const table of tables) {
    brokers.push(...table.brokers.values())
    for (const [topicId, topic] of table.topics) {
      if (topic.deleting) continue
      topics.push(info(topic))
      rows.push(...table.rows.get(topicId) ?? [])
    }
  }
  return { brokers, topics, rows, topicsRemoved: [] }
}

/** What a write changed. Rows and topics that are the same object did not change. */
export function difference (before: Table, after: Table): News {
  const topics: TopicInfo[] = []
  const rows: PartitionRow[] = []
  for (const [topicId, topic] of after.topics) {
    if (topic.deleting) continue
    if (before.topics.get(topicId) !== topic) topics.push(info(topic))
    const old = before.rows.get(topicId)
    const now = after.rows.get(topicId) ?? []
    if (now === old) continue
    for (const row of now) if (old?.[row.partition] !== row) rows.push(row)
  }
  return {
    brokers: [...after.brokers.values()].filter(broker => !sameBroker(before.brokers.get(broker.brokerId), broker)),
    topics,
    rows,
    topicsRemoved: [...before.topics.keys()].filter(topicId => isServed(before, topicId) && !isServed(after, topicId))
  }
}

function isServed (table: Table, topicId: string): boolean {
  return table.topics.get(topicId)?.deleting === false
}

export function isNothing (news: News): boolean {
  return news.brokers.length + news.topics.length + news.rows.length + news.topicsRemoved.length === 0
}

/** One push, cut into messages; all but the last have `more` set. */
export function parts (news: News, push: { controllerEpoch: number, full: boolean }): Sent<SessionResponse_Push>[] {
  const count = Math.max(1, Math.ceil(news.rows.length / limits.rowsPerPushMax),
    Math.ceil(news.topics.length / limits.rowsPerPushMax))
  return Array.from({ length: count }, (_, index) => {
    const from = index * limits.rowsPerPushMax
    const to = from + limits.rowsPerPushMax
    return {
      ...push,
      topics: news.topics.slice(from, to),
      rows: news.rows.slice(from, to),
      ...index === 0 && { brokers: news.brokers, topicsRemoved: news.topicsRemoved },
      more: index < count - 1
    }
  })
}

/** Without what only the controller needs to know. */
function info (topic: TopicEntry): TopicInfo {
  const { ownerUid: _ownerUid, ...rest } = topic
  return rest
}
