// For each alert, what it must fire on and what it must not.
import type { Case } from './case.ts'
import { queueCases } from './cases-queues.ts'

const cluster = 'namespace="shop",millrace_cluster="events"'
const broker = (ordinal: number): string => `${cluster},pod="events-${ordinal}"`
const ofCluster = { namespace: 'shop', millrace_cluster: 'events' }
const ofBroker = { ...ofCluster, pod: 'events-1' }

/** From the controller, which moves from one broker to another in the middle. */
function census (metric: string, before: string, after: string): Record<string, string> {
  return { [`${metric}{${broker(0)}}`]: before, [`${metric}{${broker(1)}}`]: after }
}

const partitions: readonly Case[] = [
  {
    alert: 'MillracePartitionsOffline',
    what: 'two without a leader, also while the controller moves',
    series: census('millrace_cluster_partitions_offline', '0 2 2 _x9', '_x3 2x9'),
    quietAt: [0, 1],
    firesAt: 5,
    labels: { ...ofCluster, severity: 'critical' }
  },
  {
    alert: 'MillracePartitionsOffline',
    what: 'a failover between two looks',
    series: census('millrace_cluster_partitions_offline', '0 3 0x9', '_x9'),
    quietAt: [1, 2, 5]
  },
  {
    alert: 'MillracePartitionsUnderMinInSync',
    what: 'writes refused',
    series: census('millrace_cluster_partitions_under_min_in_sync', '0 4x9', '_x9'),
    quietAt: [0, 1],
    firesAt: 3,
    labels: { ...ofCluster, severity: 'critical' }
  },
  {
    alert: 'MillracePartitionsUnderMinInSync',
    what: 'a set that is short for a moment',
    series: census('millrace_cluster_partitions_under_min_in_sync', '0 4 0x9', '_x9'),
    quietAt: [1, 2, 3]
  },
  {
    alert: 'MillracePartitionsUnderReplicated',
    what: 'a broker that stays away',
    series: census('millrace_cluster_partitions_under_replicated', '0 6x30', '_x30'),
    quietAt: [0, 5, 10],
    firesAt: 12,
    labels: { ...ofCluster, severity: 'warning' }
  },
  {
    alert: 'MillracePartitionsUnderReplicated',
    what: 'a roll, one broker after the other',
    series: census('millrace_cluster_partitions_under_replicated', '0 6x4 0 6x4 0 6x4 0x9', '_x30'),
    quietAt: [3, 8, 12, 15, 20]
  },
  {
    alert: 'MillracePartitionsDamaged',
    what: 'damage that was made anew between two looks',
    series: { [`millrace_replicas_damaged_total{${broker(1)}}`]: '0 0 1x90' },
    quietAt: [0, 1],
    firesAt: 10,
    labels: ofBroker
  },
  {
    alert: 'MillracePartitionsDamaged',
    what: 'a replica that stays damaged',
    series: { [`millrace_partitions_damaged{${broker(1)}}`]: '0 1x90' },
    quietAt: [0],
    firesAt: 80,
    labels: ofBroker
  },
  {
    alert: 'MillracePartitionsDamaged',
    what: 'an hour and more after the last one',
    series: {
      [`millrace_replicas_damaged_total{${broker(1)}}`]: '0 1x90', [`millrace_partitions_damaged{${broker(1)}}`]: '0x90'
    },
    quietAt: [75]
  },
  {
    alert: 'MillraceNoController',
    what: 'nobody has the office',
    series: census('millrace_controller', '1 0x9', '0x10'),
    quietAt: [0, 1],
    firesAt: 3,
    labels: { ...ofCluster, severity: 'critical' }
  },
  {
    alert: 'MillraceNoController',
    what: 'the office moves',
    series: census('millrace_controller', '1 0x9', '0 0 1x9'),
    quietAt: [1, 2, 5]
  }
]

const brokers: readonly Case[] = [
  {
    alert: 'MillraceBrokerUnreachable',
    what: 'a broker that does not answer',
    series: { [`up{${broker(1)},job="brokers"}`]: '1 0x9' },
    quietAt: [0, 3],
    firesAt: 5,
    labels: ofBroker
  },
  {
    alert: 'MillraceBrokerUnreachable',
    what: 'a restart, and targets of others',
    series: { [`up{${broker(1)}}`]: '1 0 0 1x9', 'up{namespace="shop",job="other"}': '0x9' },
    quietAt: [2, 5, 9]
  },
  {
    alert: 'MillraceBrokerAway',
    what: 'a broker without a session',
    series: census('millrace_cluster_brokers_fenced', '0 1x9', '_x9'),
    quietAt: [0, 3],
    firesAt: 5,
    labels: ofCluster
  },
  {
    alert: 'MillraceBrokerAway',
    what: 'a restart',
    series: census('millrace_cluster_brokers_fenced', '0 1 1 0x9', '_x9'),
    quietAt: [2, 5]
  },
  {
    alert: 'MillraceBrokerNotReady',
    what: 'a broker that finds no controller',
    series: { [`millrace_broker_ready{${broker(1)}}`]: '1 0x9', [`millrace_broker_ready{${broker(0)}}`]: '1x10' },
    quietAt: [0, 5],
    firesAt: 7,
    labels: ofBroker
  },
  {
    alert: 'MillraceBrokerNotReady',
    what: 'a recovery of some minutes',
    series: { [`millrace_broker_ready{${broker(1)}}`]: '1 0x3 1x9' },
    quietAt: [2, 4, 8]
  }
]

const free = (ordinal: number): string => `millrace_volume_free_bytes{${broker(ordinal)}}`
const size = (ordinal: number): string => `millrace_volume_size_bytes{${broker(ordinal)}}`
/** Cumulative buckets that grow by these counts a minute. */
function histogram (metric: string, counts: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(counts).map(([le, count]) =>
    [`${metric}_bucket{${broker(1)},le="${le}"}`, `0+${count}x40`]))
}

const disks: readonly Case[] = [
  {
    alert: 'MillraceVolumeFull',
    what: 'no space for appends',
    series: { [`millrace_disk_full{${broker(1)}}`]: '0 1x9' },
    quietAt: [0, 1],
    firesAt: 3,
    labels: { ...ofBroker, severity: 'critical' }
  },
  {
    alert: 'MillraceVolumeFull',
    what: 'retention that makes room in time',
    series: { [`millrace_disk_full{${broker(1)}}`]: '0 1 0x9' },
    quietAt: [1, 2, 5]
  },
  {
    alert: 'MillraceVolumeFillingUp',
    what: 'a broker that says it is low, and does not move',
    series: { [free(1)]: '9x60', [size(1)]: '100x60', [`millrace_disk_low{${broker(1)}}`]: '1x60' },
    quietAt: [10],
    firesAt: 20,
    labels: ofBroker
  },
  {
    alert: 'MillraceVolumeFillingUp',
    what: 'full in six hours at this pace',
    series: { [free(1)]: '38-0.1x60', [size(1)]: '100x60' },
    quietAt: [10],
    firesAt: 20,
    labels: ofBroker
  },
  {
    alert: 'MillraceVolumeFillingUp',
    what: 'a small volume, of which less than twice the reserve is free',
    series: { [free(1)]: '45x60', [size(1)]: '100x60', [`millrace_disk_low{${broker(1)}}`]: '0 1x60' },
    quietAt: [10],
    firesAt: 20,
    labels: ofBroker
  },
  {
    alert: 'MillraceVolumeFillingUp',
    what: 'space that was low for a moment',
    series: { [free(1)]: '45x60', [size(1)]: '100x60', [`millrace_disk_low{${broker(1)}}`]: '0 1 1 0x60' },
    quietAt: [2, 10, 20]
  },
  {
    alert: 'MillraceVolumeFillingUp',
    what: 'half full and steady, or filling quickly with much room',
    series: {
      [free(1)]: '30x60', [size(1)]: '100x60', [free(0)]: '90-0.5x60', [size(0)]: '100x60'
    },
    quietAt: [20, 50]
  },
  {
    alert: 'MillraceFsyncSlow',
    what: 'a disk that takes a second now and then',
    series: histogram('millrace_fsync_seconds', { 0.025: 90, 0.5: 90, 1: 100, '+Inf': 100 }),
    quietAt: [5],
    firesAt: 20,
    labels: ofBroker
  },
  {
    alert: 'MillraceFsyncSlow',
    what: 'an fsync that does not return',
    series: { [`millrace_fsync_age_seconds{${broker(1)}}`]: '0 5+60x40' },
    quietAt: [5],
    firesAt: 20,
    labels: ofBroker
  },
  {
    alert: 'MillraceFsyncSlow',
    what: 'a good disk, and one without any work',
    series: {
      ...histogram('millrace_fsync_seconds', { 0.025: 999, 0.5: 1000, 1: 1000, '+Inf': 1000 }),
      [`millrace_fsync_seconds_bucket{${broker(0)},le="1"}`]: '0x40',
      [`millrace_fsync_seconds_bucket{${broker(0)},le="+Inf"}`]: '5x40'
    },
    quietAt: [5, 20, 30]
  },
  {
    alert: 'MillraceCommitLatencyHigh',
    what: 'one in twenty takes two seconds',
    series: histogram('millrace_commit_latency_seconds', { 0.01: 95, 1: 95, 2.5: 100, '+Inf': 100 }),
    quietAt: [5],
    firesAt: 20,
    labels: ofBroker
  },
  {
    alert: 'MillraceCommitLatencyHigh',
    what: 'a slow one in a thousand',
    series: histogram('millrace_commit_latency_seconds', { 0.01: 999, 1: 999, 2.5: 1000, '+Inf': 1000 }),
    quietAt: [5, 20, 30]
  },
  {
    alert: 'MillraceProduceErrors',
    what: 'refusals that go on, of several brokers together',
    series: {
      [`millrace_produce_errors_total{${broker(0)},code="DISK_FULL"}`]: '0+5x40',
      [`millrace_produce_errors_total{${broker(1)},code="DISK_FULL"}`]: '0+5x40'
    },
    quietAt: [3],
    firesAt: 12,
    labels: { ...ofCluster, code: 'DISK_FULL' }
  },
  {
    alert: 'MillraceProduceErrors',
    what: 'a short burst, and producers that look for the leader',
    series: {
      [`millrace_produce_errors_total{${broker(0)},code="NOT_ENOUGH_REPLICAS"}`]: '0 40 40x40',
      [`millrace_produce_errors_total{${broker(0)},code="NOT_LEADER"}`]: '0+500x40',
      [`millrace_produce_errors_total{${broker(0)},code="UNKNOWN_TOPIC"}`]: '0+500x40'
    },
    quietAt: [3, 12, 30]
  }
]

const lag = `millrace_group_lag_records{${broker(1)},group="kitchen",topic="orders"}`
const isKitchen = { ...ofCluster, group: 'kitchen', topic: 'orders' }
const failed = (kind: string): string =>
  `millrace_operator_reconciles_total{namespace="ops",kind="${kind}",result="failed"}`

const others: readonly Case[] = [
  {
    alert: 'MillraceGroupLagGrowing',
    what: 'a group that stands still while producers write',
    series: { [lag]: '0+500x90' },
    quietAt: [5, 20],
    firesAt: 40,
    labels: isKitchen
  },
  {
    alert: 'MillraceGroupLagGrowing',
    what: 'it goes on when the coordinator moves to another broker',
    series: { [lag]: '0+500x30 _x60', [lag.replace('events-1', 'events-0')]: '_x31 15500+500x60' },
    quietAt: [5],
    firesAt: 80,
    labels: isKitchen
  },
  {
    alert: 'MillraceGroupLagGrowing',
    what: 'a large lag that shrinks, one that swings, a small one that grows',
    series: {
      [lag]: '90000-500x90',
      [lag.replace('kitchen', 'swings')]: '0 9000 0 9000 0 9000 0 9000 0 9000 0 9000 0 9000 0 9000 0 9000 0 9000x40',
      [lag.replace('kitchen', 'small')]: '0+5x90'
    },
    quietAt: [25, 30, 35, 60]
  },
  {
    alert: 'MillraceOperatorNotLeading',
    what: 'two operators, none with the Lease',
    series: {
      'millrace_operator_leader{namespace="ops",pod="a"}': '1 0x20',
      'millrace_operator_leader{namespace="ops",pod="b"}': '0x21'
    },
    quietAt: [0, 5],
    firesAt: 8,
    labels: { namespace: 'ops' }
  },
  {
    alert: 'MillraceOperatorNotLeading',
    what: 'no operator at all',
    series: { 'up{job="other"}': '1x20' },
    quietAt: [3],
    firesAt: 8,
    labels: {}
  },
  {
    alert: 'MillraceOperatorNotLeading',
    what: 'one takes over from the other',
    series: {
      'millrace_operator_leader{namespace="ops",pod="a"}': '1 0x20',
      'millrace_operator_leader{namespace="ops",pod="b"}': '0 0 1x19'
    },
    quietAt: [1, 5, 15]
  },
  {
    alert: 'MillraceReconcileFailing',
    what: 'an object that fails at each resync',
    series: { [failed('Topic')]: '0 12 12 12 12 13 13 13 13 13 14 14 14 14 14 15 15 15 15 15 16 16 16 16 16 17x30' },
    quietAt: [1, 10],
    firesAt: 20,
    labels: { namespace: 'ops', kind: 'Topic' }
  },
  {
    alert: 'MillraceReconcileFailing',
    what: 'conflicts now and then, and failures that pass',
    series: { [failed('Topic')]: '0+0.1x60', [failed('Cluster')]: '0 30x60' },
    quietAt: [5, 10, 15, 20, 40]
  },
  {
    alert: 'MillraceKubernetesApiErrors',
    what: 'half of the requests fail',
    series: {
      'millrace_kubernetes_errors_total{namespace="ops",pod="a"}': '0+10x40',
      'millrace_kubernetes_requests_total{namespace="ops",pod="a"}': '0+20x40'
    },
    quietAt: [5],
    firesAt: 20,
    labels: { namespace: 'ops', pod: 'a' }
  },
  {
    alert: 'MillraceKubernetesApiErrors',
    what: 'one in a hundred, and nobody asks',
    series: {
      'millrace_kubernetes_errors_total{namespace="ops",pod="a"}': '0+1x40',
      'millrace_kubernetes_requests_total{namespace="ops",pod="a"}': '0+100x40',
      'millrace_kubernetes_errors_total{namespace="ops",pod="b"}': '7x40',
      'millrace_kubernetes_requests_total{namespace="ops",pod="b"}': '7x40'
    },
    quietAt: [5, 20, 30]
  },
  {
    alert: 'MillraceOperatorWatchSilent',
    what: 'a watch that hangs',
    series: { 'millrace_operator_watch_silence_seconds{namespace="ops",pod="a",kind="Topic"}': '0+60x40' },
    quietAt: [5, 10],
    firesAt: 15,
    labels: { namespace: 'ops', pod: 'a', kind: 'Topic' }
  },
  {
    alert: 'MillraceOperatorWatchSilent',
    what: 'bookmarks every four minutes',
    series: {
      'millrace_operator_watch_silence_seconds{namespace="ops",pod="a",kind="Topic"}':
        '0 60 120 180 0 60 120 180 0 60 120 180 0 60 120 180 0 60 120 180 0'
    },
    quietAt: [5, 15, 20]
  }
]

export const cases: readonly Case[] = [...partitions, ...brokers, ...disks, ...others, ...queueCases]
