// Queue groups on real processes: what the checker says of each, and what the death of a worker costs.
import type { Anomaly } from '../../check/anomaly.ts'
import type { DeliveryOperation, Key, Operation } from '../../check/history.ts'
import { checkQueues } from '../../check/queues.ts'
import { percentile } from './group-figures.ts'
import { deliveriesMax, workQueues } from './groups.ts'
import type { Death } from './kind.ts'
import { committedEnds } from './verdict.ts'

export interface QueueVerdict {
  readonly anomalies: readonly Anomaly[]
  /** Lines for people. */
  readonly table: string
}

/** From the death of a worker to the next delivery of each record that it had begun and not settled. */
export function redeliveryMs (history: readonly Operation[], deaths: readonly Death[]): number[] {
  const deliveries = history.filter((each): each is DeliveryOperation => each.kind === 'delivery')
  return deaths.filter(({ of }) => of === 'member').flatMap(({ group, name, atMs }) => deliveries
    .filter(each => each.process === name && each.settlement === undefined && each.startMs <= atMs)
    .map(lost => {
      const next = deliveries.find(each => each.group === group && each.key === lost.key &&
        each.offset === lost.offset && each.deliveries > lost.deliveries)
      return (next?.startMs ?? Infinity) - atMs
    }))
}

/** @param isDone the groups have finished everything, and all dead letters were read */
export function judgeQueues (history: readonly Operation[], deaths: readonly Death[], keys: readonly Key[],
  isDone: boolean): QueueVerdict {
  const ends = committedEnds(history)
  const wanted = new Map(keys.map(key => [key, ends.get(key) ?? 0]))
  const reports = workQueues.map(({ name, isOrdered }) => ({
    name,
    report: checkQueues(history, {
      group: name, deliveriesMax, hasDeadLetters: true, isOrdered, ...isDone && { ends: wanted }
    })
  }))
  const again = redeliveryMs(history, deaths)
  const lines = reports.map(({ name, report }) => `${name}: ${report.deliveries} deliveries, ` +
    `${report.redeliveries} of them again; ${report.acknowledged} acknowledged, ${report.rejected} rejected, ` +
    `${report.deadLetters} dead letters; ${report.lost} settlements were refused`)
  const cost = again.length === 0 ? 'none' :
    `p50 ${Math.round(percentile(again, 50))}, p99 ${Math.round(percentile(again, 99))}, ` +
    `most ${Math.round(Math.max(...again))} (${again.length})`
  return {
    anomalies: reports.flatMap(({ report }) => report.anomalies),
    table: [...lines, `ms from a worker's death to the next delivery of each record that it had: ${cost}`].join('\n')
  }
}
