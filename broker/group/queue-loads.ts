// Queue groups for metrics, by group and topic.
import type { Group } from './group.ts'

export interface QueueLoad {
  readonly group: string
  readonly topic: string
  inFlight: number
  delivered: number
  redelivered: number
  acknowledged: number
  rejected: number
  deadLettered: number
}

export function queueLoads (groups: Iterable<Group>, seriesMax: number): QueueLoad[] {
  const loads: QueueLoad[] = []
  for (const group of groups) {
    const topics = new Map<string, QueueLoad>()
    for (const { topic, inFlight, totals } of group.windows.values()) {
      const load = topics.get(topic) ?? {
        group: group.name, topic, inFlight: 0, delivered: 0, redelivered: 0, acknowledged: 0, rejected: 0,
        deadLettered: 0
      }
      load.inFlight += inFlight
      load.delivered += totals.delivered
      load.redelivered += totals.redelivered
      load.acknowledged += totals.acknowledged
      load.rejected += totals.rejected
      load.deadLettered += totals.deadLettered
      topics.set(topic, load)
    }
    loads.push(...topics.values())
    if (loads.length >= seriesMax) break
  }
  return loads.slice(0, seriesMax)
}
