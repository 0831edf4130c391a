// Of queue groups: what their alerts must fire on and what they must not, see cases.ts.
import type { Case } from './case.ts'

const cluster = 'namespace="shop",millrace_cluster="events"'
const labels = { namespace: 'shop', millrace_cluster: 'events', group: 'mail', topic: 'jobs' }

/** From a group's coordinator; `later` from the broker to which it moves. */
function told (metric: string, values: string, later?: string): Record<string, string> {
  const series = (ordinal: number): string =>
    `millrace_${metric}{${cluster},pod="events-${ordinal}",group="mail",topic="jobs"}`
  return { [series(1)]: values, ...later !== undefined && { [series(0)]: later } }
}

export const queueCases: readonly Case[] = [
  {
    alert: 'MillraceQueueWithoutWorkers',
    what: 'nobody takes what is there, also when the coordinator moves',
    series: {
      ...told('queue_members', '2 0x9 _x30', '_x10 0x30'), ...told('group_lag_records', '5x10 _x30', '_x10 9x30')
    },
    quietAt: [0, 5, 10],
    firesAt: 15,
    labels
  },
  {
    alert: 'MillraceQueueWithoutWorkers',
    what: 'workers that restart, and none while there is nothing to do',
    series: {
      ...told('queue_members', '2 0x4 2 0x40'), ...told('group_lag_records', '5x8 0x40')
    },
    quietAt: [3, 8, 20, 40]
  },
  {
    alert: 'MillraceQueueRecordStuck',
    what: 'a record that nobody finishes',
    series: { ...told('queue_oldest_record_seconds', '0+60x40'), ...told('queue_members', '2x40') },
    quietAt: [5, 15, 20],
    firesAt: 22,
    labels
  },
  {
    alert: 'MillraceQueueRecordStuck',
    what: 'records that take ten minutes each, and a group without workers',
    series: {
      ...told('queue_oldest_record_seconds', '0 120 240 360 480 600 0 120 240 360 480 600 0 120 240 360 480 600 0',
        '_x18 0+120x40'),
      ...told('queue_members', '2x18', '_x18 0x40')
    },
    quietAt: [5, 10, 17, 35, 50]
  },
  {
    alert: 'MillraceQueueDeadLetters',
    what: 'one record that was given up',
    series: told('queue_dead_lettered_total', '0 0 1x60'),
    quietAt: [0, 1, 30],
    firesAt: 4,
    labels
  },
  {
    alert: 'MillraceQueueDeadLetters',
    what: 'those of long ago, told by another broker now',
    series: told('queue_dead_lettered_total', '7x10 _x60', '_x10 7x60'),
    quietAt: [5, 11, 12, 20, 40]
  },
  {
    alert: 'MillraceQueueDeadLettersStuck',
    what: 'a dead-letter topic that takes nothing',
    series: told('queue_dead_records', '0 3x30'),
    quietAt: [0, 4],
    firesAt: 8,
    labels
  },
  {
    alert: 'MillraceQueueDeadLettersStuck',
    what: 'some on their way now and then',
    series: told('queue_dead_records', '0 1 0 2 0 3 3 0 1 1 0 1 0x20'),
    quietAt: [3, 6, 10, 15]
  }
]
