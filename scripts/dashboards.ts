// The Grafana dashboards of the chart: what is asked of Prometheus, in the order in which operators look: is anything
// broken, how much flows, how fast, which broker is different. generate-dashboards.ts makes Grafana's JSON of it.

export type Unit = 'short' | 'Bps' | 'bytes' | 's' | 'reqps' | 'percentunit' | 'cps' | 'none'

export interface Query {
  readonly expr: string
  readonly legend: string
}

export interface Panel {
  readonly title: string
  /** What it means, and when to worry. */
  readonly about: string
  readonly kind: 'stat' | 'graph' | 'table'
  readonly unit: Unit
  readonly queries: readonly Query[]
  /** Of a stat: red from here on; absent: never. */
  readonly redFrom?: number
  /** Of a stat: red below. */
  readonly redBelow?: number
}

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

export interface Dashboard {
  readonly file: string
  readonly title: string
  readonly variables: readonly { readonly name: string, readonly label: string, readonly query: string }[]
  readonly rows: readonly Row[]
}

const inCluster = 'namespace=~"$namespace",millrace_cluster=~"$cluster"'
const namespaceOf = { name: 'namespace', label: 'Namespace', query: 'label_values(millrace_broker_ready, namespace)' }
const clusterOf = {
  name: 'cluster', label: 'Cluster',
  query: 'label_values(millrace_broker_ready{namespace=~"$namespace"}, millrace_cluster)'
}

function stat (title: string, about: string, expr: string, limits: Pick<Panel, 'redFrom' | 'redBelow'> = {},
  unit: Unit = 'none'): Panel {
  return { title, about, kind: 'stat', unit, queries: [{ expr, legend: '' }], ...limits }
}

function graph (title: string, about: string, unit: Unit, ...queries: readonly (readonly [string, string])[]): Panel {
  return { title, about, kind: 'graph', unit, queries: queries.map(([expr, legend]) => ({ expr, legend })) }
}

/** Per second, of counters of this cluster's brokers. */
const rate = (metric: string, by: string, labels = inCluster, window = '$__rate_interval'): string =>
  `sum by (${by}) (rate(${metric}{${labels}}[${window}]))`
const quantile = (q: number, metric: string, by = ''): string =>
  `histogram_quantile(${q}, ${rate(`${metric}_bucket`, `${by}${by === '' ? '' : ', '}le`)})`
const census = (metric: string): string =>
  `sum(max by (namespace, millrace_cluster) (millrace_cluster_${metric}{${inCluster}}))`
const perBroker = (metric: string): string => `${metric}{${inCluster}}`

const health: Row = {
  title: 'Is anything broken?',
  panels: [
    stat('Brokers that serve', 'Recovered and registered with the controller.',
      `sum(millrace_broker_ready{${inCluster}})`, { redBelow: 1 }),
    stat('Brokers away', 'Known to the controller, without a session.', census('brokers_fenced'), { redFrom: 1 }),
    stat('Controllers', 'One for each cluster. Without one, failover and new topics wait.',
      `sum(millrace_controller{${inCluster}})`, { redBelow: 1 }),
    stat('Partitions offline', 'Without a leader: nobody reads or writes.', census('partitions_offline'),
      { redFrom: 1 }),
    stat('Partitions that refuse writes', 'Fewer in sync than minInSync.', census('partitions_under_min_in_sync'),
      { redFrom: 1 }),
    stat('Partitions under-replicated', 'Everything works, with less in reserve.',
      census('partitions_under_replicated'), { redFrom: 1 })
  ]
}

const flow: Row = {
  title: 'How much flows?',
  panels: [
    graph('Records in', 'Appended by producers, repeats not counted.', 'cps',
      [rate('millrace_produce_records_total', 'millrace_cluster'), '{{millrace_cluster}}']),
    graph('Bytes in and out', 'Of record batches: from producers, to consumers, between brokers.', 'Bps',
      [rate('millrace_produce_bytes_total', 'millrace_cluster'), 'in {{millrace_cluster}}'],
      [rate('millrace_fetch_bytes_total', 'millrace_cluster'), 'out {{millrace_cluster}}'],
      [rate('millrace_replication_out_bytes_total', 'millrace_cluster'), 'replication {{millrace_cluster}}']),
    graph('Commit latency', 'From a batch\'s arrival at the leader until it is fsynced on the whole in-sync set.', 's',
      [quantile(0.5, 'millrace_commit_latency_seconds'), 'p50'],
      [quantile(0.99, 'millrace_commit_latency_seconds'), 'p99']),
    graph('Refused batches', 'By what the producer was told; docs/errors.md explains the codes.', 'cps',
      [rate('millrace_produce_errors_total', 'code'), '{{code}}'])
  ]
}

const overview: Dashboard = {
  file: 'overview', title: 'millrace: overview', variables: [namespaceOf, clusterOf],
  rows: [health, flow, {
    title: 'Is a broker different from the others?',
    panels: [
      graph('fsync, p99', 'Every acknowledged record waits for one.', 's',
        [quantile(0.99, 'millrace_fsync_seconds', 'pod'), '{{pod}}']),
      graph('Volume used', 'A broker refuses records when less than 256 MiB is free.', 'percentunit',
        [`1 - ${perBroker('millrace_volume_free_bytes')} / ${perBroker('millrace_volume_size_bytes')}`, '{{pod}}']),
      graph('Event loop lag, p99', 'Above 0.1 s the broker is short of CPU.', 's',
        [perBroker('nodejs_eventloop_lag_p99_seconds'), '{{pod}}']),
      graph('CPU', 'Seconds of CPU per second.', 'short', [rate('process_cpu_seconds_total', 'pod'), '{{pod}}'])
    ]
  }, {
    title: 'Do consumers keep up?',
    panels: [graph('Lag', 'Records that a group has not committed.', 'short',
      [`sum by (group, topic) (${perBroker('millrace_group_lag_records')})`, '{{group}} {{topic}}'])]
  }]
}

const brokers: Dashboard = {
  file: 'brokers', title: 'millrace: brokers', variables: [namespaceOf, clusterOf],
  rows: [{
    title: 'Who does what?',
    panels: [
      graph('Leaders', 'Partitions that each broker leads: about the same for all.', 'none',
        [perBroker('millrace_partition_leaders'), '{{pod}}']),
      graph('Replicas', 'Led or followed.', 'none', [perBroker('millrace_partition_replicas'), '{{pod}}']),
      graph('Controller', '1 for the broker that has the office.', 'none',
        [perBroker('millrace_controller'), '{{pod}}']),
      graph('Changes', 'Leaderships begun, in-sync sets that lost or gained a member.', 'cps',
        [rate('millrace_leaderships_begun_total', 'pod'), 'leaderships {{pod}}'],
        [rate('millrace_in_sync_shrinks_total', 'pod'), 'shrinks {{pod}}'],
        [rate('millrace_in_sync_expands_total', 'pod'), 'expands {{pod}}'])
    ]
  }, {
    title: 'Traffic',
    panels: [
      graph('Bytes from producers', 'As leader.', 'Bps', [rate('millrace_produce_bytes_total', 'pod'), '{{pod}}']),
      graph('Bytes to consumers', 'As leader.', 'Bps', [rate('millrace_fetch_bytes_total', 'pod'), '{{pod}}']),
      graph('Replication in', 'From leaders.', 'Bps', [rate('millrace_replication_in_bytes_total', 'pod'), '{{pod}}']),
      graph('Commit latency, p99', 'Of partitions led here; the slowest member of the in-sync set decides.', 's',
        [quantile(0.99, 'millrace_commit_latency_seconds', 'pod'), '{{pod}}'])
    ]
  }, {
    title: 'Disk',
    panels: [
      graph('fsync', 'Of the journal.', 's', [quantile(0.5, 'millrace_fsync_seconds', 'pod'), 'p50 {{pod}}'],
        [quantile(0.99, 'millrace_fsync_seconds', 'pod'), 'p99 {{pod}}']),
      graph('Free', 'Of the volume.', 'bytes', [perBroker('millrace_volume_free_bytes'), '{{pod}}']),
      graph('Bytes written', 'To the journal and to segments.', 'Bps',
        [rate('millrace_journal_bytes_total', 'pod'), 'journal {{pod}}'],
        [rate('millrace_segment_bytes_total', 'pod'), 'segments {{pod}}']),
      graph('Reads from disk', 'Consumers that read what is not in memory any more.', 'cps',
        [rate('millrace_fetch_cold_reads_total', 'pod'), '{{pod}}']),
      graph('Waits', 'Bytes that wait for the journal, or for their commit.', 'bytes',
        [perBroker('millrace_journal_queued_bytes'), 'journal {{pod}}'],
        [perBroker('millrace_produce_pending_bytes'), 'commit {{pod}}'])
    ]
  }, {
    title: 'Process',
    panels: [
      graph('CPU', 'Seconds of CPU per second.', 'short', [rate('process_cpu_seconds_total', 'pod'), '{{pod}}']),
      graph('Memory', 'Resident.', 'bytes', [perBroker('process_resident_memory_bytes'), '{{pod}}']),
      graph('Heap', 'Used by JavaScript; record batches lie outside of it.', 'bytes',
        [perBroker('nodejs_heap_size_used_bytes'), '{{pod}}']),
      graph('Event loop lag, p99', 'Above 0.1 s the broker is short of CPU.', 's',
        [perBroker('nodejs_eventloop_lag_p99_seconds'), '{{pod}}']),
      graph('Open files', 'Segments, connections.', 'none', [perBroker('process_open_fds'), '{{pod}}']),
      graph('Requests to the Kubernetes API', 'The controller asks a little, others hardly.', 'reqps',
        [rate('millrace_kubernetes_requests_total', 'pod'), '{{pod}}'],
        [rate('millrace_kubernetes_errors_total', 'pod'), 'failed {{pod}}'])
    ]
  }]
}

const topicLabels = `${inCluster},topic=~"$topic"`
const topics: Dashboard = {
  file: 'topics', title: 'millrace: topics',
  variables: [namespaceOf, clusterOf, {
    name: 'topic', label: 'Topic', query: `label_values(millrace_topic_stored_bytes{${inCluster}}, topic)`
  }],
  rows: [{
    title: 'By topic',
    panels: [
      graph('Records in', 'Appended by producers.', 'cps',
        [rate('millrace_topic_records_total', 'topic', topicLabels), '{{topic}}']),
      graph('Bytes in', 'Of record batches, before replication.', 'Bps',
        [rate('millrace_topic_bytes_total', 'topic', topicLabels), '{{topic}}']),
      graph('Bytes out', 'To consumers.', 'Bps',
        [rate('millrace_topic_fetch_bytes_total', 'topic', topicLabels), '{{topic}}']),
      graph('Stored', 'All replicas together.', 'bytes',
        [`sum by (topic) (millrace_topic_stored_bytes{${topicLabels}})`, '{{topic}}'])
    ]
  }, {
    title: 'Who falls behind?',
    panels: [graph('Lag', 'Records that each group has not committed.', 'short',
      [`sum by (topic, group) (millrace_group_lag_records{${topicLabels}})`, '{{topic}} {{group}}'])]
  }]
}

const groupLabels = `${inCluster},group=~"$group"`
/** One broker coordinates a group, and another one later. */
const queue = (metric: string): string => `max by (group, topic) (millrace_queue_${metric}{${groupLabels}})`
const queueRate = (metric: string): string =>
  `max by (group, topic) (rate(millrace_queue_${metric}{${groupLabels}}[$__rate_interval]))`
const byQueue = '{{group}} {{topic}}'
const queues: Row = {
  title: 'Queue groups',
  panels: [
    graph('Workers', 'Members that read the topic. None, and a lag above: nobody does the work.', 'none',
      [queue('members'), byQueue]),
    graph('In flight', 'Records that workers have. As many as they may have all the time: more workers would help.',
      'short', [queue('in_flight_records'), byQueue]),
    graph('Oldest record', 'For how long the first record that is not finished has been the first.', 's',
      [queue('oldest_record_seconds'), byQueue]),
    graph('Finished', 'Acknowledged by workers.', 'cps', [queueRate('acknowledged_total'), byQueue]),
    graph('Delivered', 'Given to workers; again: after a release, a failure, a death or a lease that was over.', 'cps',
      [queueRate('deliveries_total'), byQueue], [queueRate('redeliveries_total'), `again ${byQueue}`],
      [queueRate('returned_total'), `given back unhandled ${byQueue}`]),
    graph('Given up', 'Rejected by workers, and written to the dead-letter topic.', 'cps',
      [queueRate('rejected_total'), `rejected ${byQueue}`],
      [queueRate('dead_lettered_total'), `dead letters ${byQueue}`]),
    graph('Wait for the dead-letter topic', 'Above none for long: it does not take records.', 'none',
      [queue('dead_records'), byQueue])
  ]
}

const groups: Dashboard = {
  file: 'groups', title: 'millrace: consumer groups',
  variables: [namespaceOf, clusterOf, {
    name: 'group', label: 'Group', query: `label_values(millrace_group_lag_records{${inCluster}}, group)`
  }],
  rows: [{
    title: 'Do they keep up?',
    panels: [
      graph('Lag', 'Records not committed yet. What matters is whether it grows.', 'short',
        [`sum by (group, topic) (millrace_group_lag_records{${groupLabels}})`, '{{group}} {{topic}}']),
      graph('Growth of the lag', 'Records per second; below zero the group catches up.', 'cps',
        [`sum by (group, topic) (deriv(millrace_group_lag_records{${groupLabels}}[$__rate_interval]))`,
          '{{group}} {{topic}}']),
      {
        title: 'Largest lags', about: 'Now.', kind: 'table', unit: 'short',
        queries: [{ expr: `topk(20, sum by (group, topic) (millrace_group_lag_records{${groupLabels}}))`, legend: '' }]
      }
    ]
  }, queues, {
    title: 'Coordinators',
    panels: [
      graph('Groups', 'Whose coordinator is on each broker.', 'none', [perBroker('millrace_groups'), '{{pod}}']),
      graph('Members', 'Of groups whose coordinator is on each broker.', 'none',
        [perBroker('millrace_group_members'), '{{pod}}'])
    ]
  }]
}

const ops = 'namespace=~"$operator_namespace"'
/** An operator that has nothing to do does nothing. */
const rare = '5m'
const isOperator = `* on (namespace, pod) group_left () (0 * millrace_operator_leader{${ops}} + 1)`
const operator: Dashboard = {
  file: 'operator', title: 'millrace: operator',
  variables: [{
    name: 'operator_namespace', label: 'Namespace', query: 'label_values(millrace_operator_leader, namespace)'
  }],
  rows: [{
    title: 'Does it act?',
    panels: [
      stat('Operators that lead', 'One; the others wait with everything read.', `sum(millrace_operator_leader{${ops}})`,
        { redBelow: 1 }),
      stat('Failures in five minutes', 'Conflicts pass by themselves; what repeats does not.',
        `sum(increase(millrace_operator_reconciles_total{${ops},result="failed"}[5m]))`, { redFrom: 10 }),
      stat('Longest silence', 'Seconds since a list, an event or a bookmark of the quietest kind.',
        `max(millrace_operator_watch_silence_seconds{${ops}})`, { redFrom: 300 }, 's'),
      stat('Objects that wait', 'To be looked at.', `sum(millrace_operator_queue_depth{${ops}})`)
    ]
  }, {
    title: 'Work',
    panels: [
      graph('Reconciliations', 'By kind and result.', 'cps',
        [rate('millrace_operator_reconciles_total', 'kind, result', ops, rare), '{{kind}} {{result}}']),
      graph('Time of one, p99', 'Most of it is waiting for the API server or a controller.', 's',
        [`histogram_quantile(0.99, ${rate('millrace_operator_reconcile_seconds_bucket', 'kind, le', ops, rare)})`,
          '{{kind}}']),
      graph('Writes', 'None while everything is as wished.', 'cps',
        [rate('millrace_operator_writes_total', 'verb, kind', ops, rare), '{{verb}} {{kind}}']),
      graph('Requests to the Kubernetes API', 'And those that failed.', 'reqps',
        [`sum by (pod) (rate(millrace_kubernetes_requests_total{${ops}}[$__rate_interval]) ${isOperator})`, '{{pod}}'],
        [`sum by (pod) (rate(millrace_kubernetes_errors_total{${ops}}[$__rate_interval]) ${isOperator})`,
          'failed {{pod}}']),
      graph('Objects', 'In its local copies.', 'none',
        [`max by (kind) (millrace_operator_objects{${ops}})`, '{{kind}}']),
      graph('Watches begun again', 'After a failure or silence.', 'cps',
        [rate('millrace_operator_watch_restarts_total', 'kind', ops, rare), '{{kind}}'])
    ]
  }, {
    title: 'Process',
    panels: [
      graph('CPU', 'Seconds of CPU per second.', 'short',
        [`rate(process_cpu_seconds_total{${ops}}[$__rate_interval]) ${isOperator}`, '{{pod}}']),
      graph('Memory', 'Resident.', 'bytes', [`process_resident_memory_bytes{${ops}} ${isOperator}`, '{{pod}}'])
    ]
  }]
}

export const dashboards: readonly Dashboard[] = [overview, brokers, topics, groups, operator]
