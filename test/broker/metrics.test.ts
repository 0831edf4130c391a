import { expect, it } from 'vitest'
import { newCounters } from '../../broker/controller/counters.ts'
import type { Census } from '../../broker/controller/describe.ts'
import { brokerRegistry, metricTable } from '../../broker/metrics.ts'
import { LatencyHistogram } from '../../broker/histogram.ts'
import { countError, makeStats } from '../../broker/partition/stats.ts'

function setup (census?: Census) {
  const counters = { journalFrames: 3, journalBytes: 4, fsyncs: 5, segmentBytes: 6, coldReads: 7, segments: 8 }
  const syncLatency = new LatencyHistogram()
  for (const latency of [4, 60]) syncLatency.observe(latency)
  const space = { freeBytes: 25, sizeBytes: 100 }
  return {
    stats: makeStats(),
    topics: [{ topic: 'orders', records: 5, bytes: 6, fetchedBytes: 7, storedBytes: 8 }],
    agent: newCounters(),
    volume: { counters, queuedBytes: 9, full: false, low: true, space, syncLatency, fsyncAgeMs: () => 1500 },
    groups: {
      groupsCount: 2, membersCount: 0, lags: [{ group: 'audit', topic: 'orders', records: 7 }],
      queues: () => [{
        group: 'mail', topic: 'jobs', members: 2, inFlight: 3, delivered: 12, redelivered: 2, returned: 1,
        acknowledged: 8, rejected: 1, deadLettered: 1, dead: 0, oldestSeconds: 1.5
      }]
    },
    census,
    ready: true
  }
}

it('exposes what the parts count, in the exposition format', async () => {
  const sources = setup()
  sources.stats.appendedRecords = 42
  for (const latency of [0.4, 2.5, 2.6, 20_000]) sources.stats.commitLatency.observe(latency)
  countError(sources.stats, 'DISK_FULL')
  countError(sources.stats, 'NOT_LEADER')
  const text = await brokerRegistry('1.2.3', () => sources).metrics()
  expect(text).toContain('# TYPE millrace_produce_records_total counter\nmillrace_produce_records_total 42\n')
  expect(text).toContain('millrace_fsync_age_seconds 1.5\n')
  expect(text).toContain('millrace_commit_latency_seconds_bucket{le="0.003"} 3\n')
  expect(text).toContain('millrace_commit_latency_seconds_bucket{le="+Inf"} 4\n')
  expect(text).toContain('millrace_commit_latency_seconds_count 4\n')
  expect(text).toContain('millrace_group_lag_records{group="audit",topic="orders"} 7\n')
  expect(text).toContain('millrace_queue_members{group="mail",topic="jobs"} 2\n')
  expect(text).toContain('millrace_queue_oldest_record_seconds{group="mail",topic="jobs"} 1.5\n')
  expect(text).toContain('millrace_fsync_seconds_bucket{le="0.005"} 1\n')
  expect(text).toContain('millrace_fsync_seconds_sum 0.064\n')
  expect(text).toContain('millrace_produce_errors_total{code="DISK_FULL"} 1\n')
  expect(text).toContain('millrace_produce_errors_total{code="NOT_LEADER"} 1\n')
  expect(text).toContain('millrace_topic_records_total{topic="orders"} 5\n')
  expect(text).toContain('millrace_topic_stored_bytes{topic="orders"} 8\n')
  expect(text).toContain('millrace_volume_free_bytes 25\n')
  expect(text).toContain('millrace_volume_size_bytes 100\n')
  expect(text).toContain('millrace_build_info{version="1.2.3"} 1\n')
  expect(text).toContain('process_resident_memory_bytes')
})

it('tells of the whole cluster where the controller is, and nothing elsewhere', async () => {
  const census = { brokers: 3, brokersFenced: 1, partitions: 12, offline: 0, underReplicated: 4, underMinInSync: 2 }
  const text = await brokerRegistry('1.2.3', () => setup(census)).metrics()
  expect(text).toContain('millrace_cluster_brokers_fenced 1\n')
  expect(text).toContain('millrace_cluster_partitions 12\n')
  expect(text).toContain('millrace_cluster_partitions_under_replicated 4\n')
  expect(await brokerRegistry('1.2.3', () => setup()).metrics()).not.toMatch(/^millrace_cluster_/m)
})

it('tells of refusals from the beginning, so that the first one is an increase', async () => {
  const text = await brokerRegistry('1.2.3', () => setup()).metrics()
  expect(text).toContain('millrace_produce_errors_total{code="NOT_ENOUGH_REPLICAS"} 0\n')
})

it('says that it is not ready before it has recovered', async () => {
  const text = await brokerRegistry('1.2.3', () => undefined).metrics()
  expect(text).toContain('millrace_broker_ready 0\n')
  expect(text).toContain('millrace_build_info{version="1.2.3"} 1\n')
  expect(text).not.toContain('millrace_fsyncs_total 0')
})

it('names metrics once, as Prometheus wants them', () => {
  const names = metricTable.map(entry => entry.name)
  expect(new Set(names).size).toBe(names.length)
  for (const { name, type, help } of metricTable) {
    expect(name).toMatch(/^millrace_[a-z][a-z_]*$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(help).toMatch(/\.$/)
  }
})
