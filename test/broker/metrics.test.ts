import { expect, it } from 'vitest'
import { newCounters } from '../../broker/controller/counters.ts'
import type { Census } from '../../broker/controller/describe.ts'
import { brokerRegistry, metricTable } from '../../broker/metrics.ts'
import { countCommit, makeStats } from '../../broker/partition/stats.ts'

function setup (census?: Census) {
  const counters = { journalFrames: 3, journalBytes: 4, fsyncs: 5, segmentBytes: 6, coldReads: 7, segments: 8 }
  return {
    stats: makeStats(),
    agent: newCounters(),
    volume: { counters, queuedBytes: 9, full: false, fsyncAgeMs: () => 1500 },
    groups: { groupsCount: 2, membersCount: 0, lags: [{ group: 'audit', topic: 'orders', records: 7 }] },
    census,
    ready: true
  }
}

it('exposes what the parts count, in the exposition format', async () => {
  const sources = setup()
  sources.stats.appendedRecords = 42
  for (const latency of [0.4, 2.5, 2.6, 20_000]) countCommit(sources.stats, latency)
  const text = await brokerRegistry(() => sources).metrics()
  expect(text).toContain('# TYPE millrace_produce_records_total counter\nmillrace_produce_records_total 42\n')
  expect(text).toContain('millrace_fsync_age_seconds 1.5\n')
  expect(text).toContain('millrace_commit_latency_seconds_bucket{le="0.003"} 3\n')
  expect(text).toContain('millrace_commit_latency_seconds_bucket{le="+Inf"} 4\n')
  expect(text).toContain('millrace_commit_latency_seconds_count 4\n')
  expect(text).toContain('millrace_group_lag_records{group="audit",topic="orders"} 7\n')
  expect(text).toContain('process_resident_memory_bytes')
})

it('tells of the whole cluster where the controller is, and nothing elsewhere', async () => {
  const census = { brokers: 3, brokersFenced: 1, partitions: 12, offline: 0, underReplicated: 4, underMinInSync: 2 }
  const text = await brokerRegistry(() => setup(census)).metrics()
  expect(text).toContain('millrace_cluster_brokers_fenced 1\n')
  expect(text).toContain('millrace_cluster_partitions 12\n')
  expect(text).toContain('millrace_cluster_partitions_under_replicated 4\n')
  expect(await brokerRegistry(() => setup()).metrics()).not.toMatch(/^millrace_cluster_/m)
})

it('answers before the broker has recovered', async () => {
  const text = await brokerRegistry(() => undefined).metrics()
  expect(text).toContain('# TYPE millrace_broker_ready gauge')
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
