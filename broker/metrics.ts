// Every metric of a broker, in one table: /metrics and docs/metrics.md are made from it. The parts of the
// broker count in plain objects; they are read when somebody scrapes.
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { AgentCounters } from './controller/counters.ts'
import type { Census } from './controller/describe.ts'
import type { GroupCoordinator } from './group/coordinator.ts'
import type { QueueLoad } from './group/queue-loads.ts'
import type { Volume } from './log/contract.ts'
import { LatencyHistogram, latencyBucketsMs } from './histogram.ts'
import type { PartitionStats } from './partition/stats.ts'
import type { TopicLoad } from './partition/topic-loads.ts'

/** What a broker knows of itself, at one moment. */
export interface BrokerSources {
  readonly stats: PartitionStats
  readonly topics: readonly TopicLoad[]
  readonly agent: AgentCounters
  readonly volume: Pick<Volume, 'counters' | 'queuedBytes' | 'full' | 'low' | 'space' | 'syncLatency' | 'fsyncAgeMs'>
  readonly groups: Pick<GroupCoordinator, 'groupsCount' | 'membersCount' | 'lags' | 'queues'>
  /** While this broker is the controller. */
  readonly census: Census | undefined
  readonly ready: boolean
}

export interface MetricSources extends BrokerSources {
  /** Of this program. */
  readonly version: string
}

export interface MetricEntry {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly read: (sources: MetricSources) => number | LatencyHistogram | readonly Sample[]
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly metricName?: string
}

function counter (name: string, help: string, read: (sources: MetricSources) => number): MetricEntry {
  return { name: `millrace_${name}_total`, type: 'counter', help, read }
}

function gauge (name: string, help: string, read: (sources: MetricSources) => number): MetricEntry {
  return { name: `millrace_${name}`, type: 'gauge', help, read }
}

/** One series for each topic, limits.topicSeriesMax at most. */
function byTopic (name: string, type: 'counter' | 'gauge', help: string, of: 'records' | 'bytes' | 'fetchedBytes' |
  'storedBytes'): MetricEntry {
  const read = ({ topics }: MetricSources): Sample[] =>
    topics.map(load => ({ labels: { topic: load.topic }, value: load[of] }))
  return { name: `millrace_topic_${name}`, type, help, read }
}

/** Of queue groups: one series for each group and topic, limits.groupLagSeriesMax at most. */
function byQueue (name: string, type: 'counter' | 'gauge', help: string,
  of: Exclude<keyof QueueLoad, 'group' | 'topic'>): MetricEntry {
  const read = ({ groups }: MetricSources): Sample[] => groups.queues()
    .map(load => ({ labels: { group: load.group, topic: load.topic }, value: load[of] }))
  return { name: `millrace_queue_${name}`, type, help: `${help} By group and topic; from its coordinator.`, read }
}

/** What only the controller tells: no sample elsewhere. */
function clusterGauge (name: string, help: string, of: keyof Census): MetricEntry {
  const read = ({ census }: MetricSources): Sample[] => census === undefined ? [] : [{ labels: {}, value: census[of] }]
  return { name: `millrace_cluster_${name}`, type: 'gauge', help: `${help} From the controller.`, read }
}

export const metricTable: readonly MetricEntry[] = [
  {
    name: 'millrace_build_info',
    type: 'gauge',
    help: '1; the version of the program is a label.',
    read: s => buildInfo(s.version)
  },
  gauge('broker_ready', '1 when the broker has recovered its volume and is registered.', s => Number(s.ready)),
  counter('produce_batches', 'Record batches appended here as leader, repeats not counted.', s => s.stats.appends),
  counter('produce_records', 'Records appended here as leader.', s => s.stats.appendedRecords),
  counter('produce_bytes', 'Bytes of record batches appended here as leader.', s => s.stats.appendedBytes),
  counter('produce_duplicates', 'Batches that repeated one the log held already.', s => s.stats.duplicates),
  {
    name: 'millrace_produce_errors_total',
    type: 'counter',
    help: 'Batches refused, or not known to be committed, by what the producer was told (errors.md).',
    read: s => [...s.stats.appendErrors].map(([code, value]): Sample => ({ labels: { code }, value }))
  },
  {
    name: 'millrace_commit_latency_seconds',
    type: 'histogram',
    help: 'From append to commit: fsynced on every member of the in-sync set.',
    read: s => s.stats.commitLatency
  },
  gauge('produce_pending_batches', 'Batches appended and not yet committed.', s => s.stats.pendingAppends),
  gauge('produce_pending_bytes', 'Bytes appended and not yet committed.', s => s.stats.pendingBytes),
  counter('fetch_bytes', 'Bytes of record batches given to consumers.', s => s.stats.fetchedBytes),
  counter('fetch_cold_reads', 'Reads for consumers that went to disk.', s => s.stats.coldFetches),
  counter('fetch_follower_reads', 'Reads for consumers that a follower served.', s => s.stats.followerFetches),
  byTopic('records_total', 'counter', 'Records appended here as leader, by topic.', 'records'),
  byTopic('bytes_total', 'counter', 'Bytes of record batches appended here as leader, by topic.', 'bytes'),
  byTopic('fetch_bytes_total', 'counter', 'Bytes of record batches given to consumers, by topic.', 'fetchedBytes'),
  byTopic('stored_bytes', 'gauge', 'Bytes of the replicas here, led or not, by topic.', 'storedBytes'),
  counter('replication_out_bytes', 'Bytes sent to followers.', s => s.stats.replicatedOutBytes),
  counter('replication_in_bytes', 'Bytes received from leaders.', s => s.stats.replicatedInBytes),
  gauge('partition_replicas', 'Replicas on this broker.', s => s.stats.replicas),
  gauge('partition_leaders', 'Partitions that this broker leads.', s => s.stats.leaders),
  gauge('partitions_under_replicated', 'Led here with fewer in-sync members than replicas.',
    s => s.stats.underReplicated),
  gauge('partitions_under_min_in_sync', 'Led here and refusing writes for want of in-sync members.',
    s => s.stats.underMinInSync),
  gauge('partitions_offline', 'Held here, but no leader is known.', s => s.stats.offline),
  gauge('partitions_damaged', 'Replicas here that are damaged and not made anew yet.', s => s.stats.damaged),
  counter('replicas_damaged', 'Replicas here that were found damaged, when the volume was opened or read.',
    s => s.stats.damagedFound),
  counter('in_sync_shrinks', 'In-sync sets of partitions led here that lost a member.', s => s.stats.inSyncShrinks),
  counter('in_sync_expands', 'In-sync sets of partitions led here that gained a member.', s => s.stats.inSyncExpands),
  counter('leaderships_begun', 'Leaderships begun here.', s => s.stats.leadershipsBegun),
  counter('leaderships_ended', 'Leaderships ended here.', s => s.stats.leadershipsEnded),
  counter('truncations', 'Logs cut back because they had parted from the leader\'s.', s => s.stats.truncations),
  counter('journal_frames', 'Group commits.', s => s.volume.counters.journalFrames),
  counter('journal_bytes', 'Bytes written to the journal.', s => s.volume.counters.journalBytes),
  counter('fsyncs', 'fsyncs of journal and segments.', s => s.volume.counters.fsyncs),
  counter('segment_bytes', 'Bytes written to segments.', s => s.volume.counters.segmentBytes),
  gauge('segments', 'Segments on the volume.', s => s.volume.counters.segments),
  gauge('journal_queued_bytes', 'Bytes that wait for the journal.', s => s.volume.queuedBytes),
  {
    name: 'millrace_fsync_seconds',
    type: 'histogram',
    help: 'How long each fsync of the journal took; what is acknowledged has waited for one.',
    read: s => s.volume.syncLatency
  },
  gauge('fsync_age_seconds', 'Age of the oldest fsync that has not returned.', s => s.volume.fsyncAgeMs() / 1000),
  gauge('volume_free_bytes', 'Bytes of the volume that may still be used.', s => s.volume.space.freeBytes),
  gauge('volume_size_bytes', 'Bytes of the whole volume.', s => s.volume.space.sizeBytes),
  gauge('disk_full', '1 while appends are refused for want of space.', s => Number(s.volume.full)),
  gauge('disk_low', '1 while space is low: segments of topics with a retention are made small, to go earlier.',
    s => Number(s.volume.low)),
  gauge('controller', '1 while this broker is the controller.', s => s.agent.isController),
  gauge('controller_sessions', 'Brokers registered with this controller.', s => s.agent.sessions),
  clusterGauge('brokers', 'Brokers that are known.', 'brokers'),
  clusterGauge('brokers_fenced', 'Brokers that are known and away.', 'brokersFenced'),
  clusterGauge('partitions', 'Partitions of all topics.', 'partitions'),
  clusterGauge('partitions_offline', 'Partitions without a leader.', 'offline'),
  clusterGauge('partitions_under_replicated', 'Partitions with fewer live in-sync members than replicas.',
    'underReplicated'),
  clusterGauge('partitions_under_min_in_sync', 'Partitions that refuse writes for want of in-sync members.',
    'underMinInSync'),
  counter('controller_takeovers', 'Times this broker took the office of controller.', s => s.agent.takeovers),
  counter('controller_elections', 'Leaders elected by this broker as controller.', s => s.agent.elections),
  counter('controller_elections_failed', 'Elections without a candidate.', s => s.agent.electionsFailed),
  counter('controller_in_sync_changes', 'In-sync changes written.', s => s.agent.inSyncChanges),
  counter('controller_in_sync_refused', 'In-sync changes refused.', s => s.agent.inSyncRefused),
  counter('controller_brokers_fenced', 'Brokers fenced by this controller.', s => s.agent.brokersFenced),
  counter('controller_partitions_recovered', 'Partitions recovered by a person without their in-sync set.',
    s => s.agent.partitionsRecovered),
  counter('controller_table_writes', 'PartitionTable writes that landed.', s => s.agent.tableWrites),
  counter('controller_table_conflicts', 'PartitionTable writes that met a conflict.', s => s.agent.tableConflicts),
  counter('kubernetes_requests', 'Requests to the Kubernetes API.', s => s.agent.apiRequests),
  counter('kubernetes_errors', 'Requests to the Kubernetes API that failed.', s => s.agent.apiErrors),
  counter('session_registrations', 'Times this broker registered with a controller.', s => s.agent.registrations),
  gauge('groups', 'Consumer groups whose coordinator is here.', s => s.groups.groupsCount),
  gauge('group_members', 'Members of groups whose coordinator is here.', s => s.groups.membersCount),
  {
    name: 'millrace_group_lag_records',
    type: 'gauge',
    help: 'Records that a group has not committed, by group and topic; from its coordinator.',
    read: s => s.groups.lags.map(({ group, topic, records }): Sample => ({ labels: { group, topic }, value: records }))
  },
  byQueue('members', 'gauge', 'Members of a queue group that read the topic.', 'members'),
  byQueue('in_flight_records', 'gauge', 'Records of a queue group that its members have.', 'inFlight'),
  byQueue('oldest_record_seconds', 'gauge', 'For how long the first record that a queue group has found and not ' +
    'finished has been the first, in the partition where that is longest.', 'oldestSeconds'),
  byQueue('dead_records', 'gauge', 'Records of a queue group that wait to be written to its dead-letter topic.',
    'dead'),
  byQueue('deliveries_total', 'counter', 'Records given to members of a queue group.', 'delivered'),
  byQueue('redeliveries_total', 'counter', 'Of those, records that had been given before.', 'redelivered'),
  byQueue('returned_total', 'counter', 'Of the deliveries, those that came back unhandled, for another member.',
    'returned'),
  byQueue('acknowledged_total', 'counter', 'Records that members of a queue group have acknowledged.', 'acknowledged'),
  byQueue('rejected_total', 'counter', 'Records that members of a queue group have rejected.', 'rejected'),
  byQueue('dead_lettered_total', 'counter', 'Records of a queue group written to its dead-letter topic.',
    'deadLettered')
]

/** Cumulative buckets, as the exposition format wants them. */
function histogramSamples (name: string, { counts, sumMs }: LatencyHistogram): Sample[] {
  let total = 0
  const samples = counts.map((count, index): Sample => {
    total += count
    const bound = latencyBucketsMs[index]
    return {
      metricName: `${name}_bucket`, labels: { le: bound === undefined ? '+Inf' : String(bound / 1000) }, value: total
    }
  })
  samples.push({ metricName: `${name}_sum`, labels: {}, value: sumMs / 1000 })
  samples.push({ metricName: `${name}_count`, labels: {}, value: total })
  return samples
}

function samples (name: string, read: ReturnType<MetricEntry['read']>): readonly Sample[] {
  if (typeof read === 'number') return [{ labels: {}, value: read }]
  return read instanceof LatencyHistogram ? histogramSamples(name, read) : read
}

function buildInfo (version: string): Sample[] {
  return [{ labels: { version }, value: 1 }]
}

/**
 * @param sources read anew at each scrape; undefined while the broker is still recovering
 */
export function brokerRegistry (version: string, sources: () => BrokerSources | undefined): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  // Not ready, and nothing else is known.
  const recovering: Readonly<Record<string, readonly Sample[]>> =
    { millrace_build_info: buildInfo(version), millrace_broker_ready: [{ labels: {}, value: 0 }] }
  for (const entry of metricTable) {
    const get = (): { name: string, help: string, type: string, values: readonly Sample[], aggregator: string } => {
      const { name, help, type } = entry
      const now = sources()
      const values = now === undefined ? recovering[name] ?? [] : samples(name, entry.read({ ...now, version }))
      return { name, help, type, values, aggregator: 'sum' }
    }
    registry.registerMetric({ name: entry.name, get } as unknown as Parameters<Registry['registerMetric']>[0])
  }
  return registry
}
