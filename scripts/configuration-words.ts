// What docs/configuration.md says beside the schemas: what a change of a field does, and what conditions say. Tests
// compare both with what the code does (test/scripts/configuration.test.ts).

/**
 * restarts: brokers restart, one at a time. live: running brokers take it over. operator: operator and controller carry
 * it out, no broker restarts. refused: the API server says no.
 */
export type Effect = 'restarts' | 'live' | 'operator' | 'refused'

export interface Change {
  readonly effect: Effect
  /** Said in place of the effect's own words. */
  readonly words?: string
}

export const effectWords: Readonly<Record<Effect, string>> = {
  restarts: 'restarts the brokers, one at a time',
  live: 'live: running brokers take it over within about a minute',
  operator: 'done without a restart',
  refused: 'refused'
}

const newTopics = { effect: 'operator', words: 'counts for topics that are made afterwards' } as const
const openTopics = { effect: 'operator', words: 'done without a restart, for every topic that leaves it open' } as const

/** By path; what is below a path and not named itself does the same. */
export const clusterChanges: Readonly<Record<string, Change>> = {
  'spec.brokers': { effect: 'operator', words: 'done without a restart; those that go are drained first' },
  'spec.storage': { effect: 'operator' },
  'spec.storage.size': { effect: 'operator', words: 'larger: done without a restart; smaller: refused' },
  'spec.storage.className': { effect: 'refused' },
  'spec.storage.deletePolicy': { effect: 'operator', words: 'counts when the Cluster is deleted' },
  'spec.topicDefaults': newTopics,
  'spec.topicDefaults.retention': openTopics,
  'spec.topicDefaults.segmentBytes': openTopics,
  'spec.rebalance': { effect: 'live' },
  'spec.groupExpiry': { effect: 'live' },
  'spec.topologyKey': { effect: 'restarts' },
  'spec.resources': { effect: 'restarts' },
  'spec.pod': { effect: 'restarts' },
  'spec.listeners': { effect: 'restarts', words: 'one more or fewer: restarts the brokers, one at a time' },
  'spec.listeners[].name': { effect: 'restarts' },
  'spec.listeners[].port': { effect: 'restarts' },
  'spec.listeners[].type': { effect: 'live' },
  'spec.listeners[].advertised': { effect: 'live' },
  'spec.maintenance': { effect: 'operator' },
  'spec.image': { effect: 'restarts' },
  'spec.logLevel': { effect: 'live' }
}

export const topicChanges: Readonly<Record<string, Change>> = {
  'spec.cluster': { effect: 'refused' },
  'spec.name': { effect: 'refused' },
  'spec.partitions': { effect: 'operator', words: 'more: done without a restart; fewer: refused' },
  'spec.replicas': { effect: 'operator', words: 'done without a restart, while records flow' },
  'spec.minInSync': { effect: 'operator' },
  'spec.retention': { effect: 'operator' },
  'spec.segmentBytes': { effect: 'operator', words: 'done without a restart, from the next segment on' },
  'spec.deletePolicy': { effect: 'operator', words: 'counts when the Topic is deleted' }
}

/** What the operator says of a change of a chart's value; the longest name that fits counts. */
export const chartChanges: Readonly<Record<string, string>> = {
  image: "the operator's pods are replaced, then brokers of Clusters without an `image` restart, one at a time",
  'image.pullPolicy': "the operator's pods are replaced",
  'image.pullSecrets': "the operator's pods are replaced",
  nameOverride: 'other objects are made; the old ones go',
  fullnameOverride: 'other objects are made; the old ones go',
  watchNamespaces: "the operator's pods are replaced; roles come and go",
  operator: "the operator's pods are replaced",
  'operator.replicas': 'pods come or go',
  crds: 'nothing goes: the definitions are kept',
  serviceAccount: "the operator's pods are replaced",
  'serviceAccount.annotations': 'the object changes',
  rbac: 'objects come or go',
  'rbac.nodes': "the operator's pods are replaced; a role comes or goes",
  networkPolicy: 'the object comes or goes',
  podDisruptionBudget: 'the object comes or goes',
  podMonitor: 'the objects come, change or go',
  prometheusRule: 'the object comes, changes or goes',
  dashboards: 'the objects come, change or go'
}

export interface ConditionWords {
  readonly type: string
  readonly meaning: string
  /** By reason. */
  readonly reasons: Readonly<Record<string, string>>
}

export const clusterConditions: readonly ConditionWords[] = [{
  type: 'Ready',
  meaning: 'it has been complete once, has a controller, and every partition takes and gives records',
  reasons: {
    Serving: '`True`', InvalidSpec: 'a value that cannot be; the message names it',
    ForeignVolumes: 'volumes of another cluster are in the way; the message says what to do',
    BrokersNotReady: 'before the first time: some are missing; afterwards: none is ready',
    NoController: 'no broker is the controller, or it does not answer',
    PartitionsOffline: 'partitions without a leader', NotEnoughReplicas: 'partitions that take no records'
  }
}, {
  type: 'Progressing',
  meaning: 'something is being changed',
  reasons: {
    Settled: '`False`: nothing is', Creating: 'the first brokers start', BrokersStarting: 'brokers are missing',
    Rolling: 'brokers are restarted, one at a time', RollStopped: '`False`: one of them does not come up',
    Resizing: 'volumes grow', Draining: 'brokers are emptied, then go',
    ForeignVolumes: '`False`: as above',
    ScaleDownBlocked: '`False`: fewer brokers cannot be had; the message says what to do',
    Moving: 'partitions move', WaitingForAddress: 'a listener has no address yet',
    Maintenance: '`False`: brokers are in maintenance', Paused: '`False`: by the annotation'
  }
}, {
  type: 'Degraded',
  meaning: 'something is not as it should be',
  reasons: {
    AsWanted: '`False`: all is', ReconcileFailed: 'the operator cannot do what is asked; the message says why',
    InvalidSpec: 'as above', ForeignVolumes: 'as above',
    BrokerStuck: 'a broker does not come up', BrokersNotReady: 'brokers are missing',
    NoController: 'as above', PartitionsOffline: 'as above', UnderReplicated: 'copies are missing or behind',
    ScaleDownBlocked: 'as above'
  }
}, {
  type: 'DiskLow',
  meaning: 'volumes that are low on space; there while it holds. The message says which brokers, and since when',
  reasons: {
    VolumeLow: 'less than a tenth, or than twice the reserve, is free: what retention may remove goes sooner',
    VolumeFull: 'one of them takes nothing in'
  }
}, { type: 'Paused', meaning: 'there while it holds', reasons: { Annotation: 'a person said so' } }]

export const topicConditions: readonly ConditionWords[] = [{
  type: 'Ready',
  meaning: 'the topic is as it says, and every partition has a leader',
  reasons: {
    Serving: '`True`', ClusterNotFound: 'there is no such Cluster, or it is going',
    ClusterNotReady: 'its controller cannot be asked', InvalidSpec: 'a value that cannot be; the message names it',
    Conflict: 'an older Topic has that name', NotEnoughBrokers: 'more replicas than brokers',
    WaitingForBrokers: 'brokers are on their way, or away', NotApplied: 'the controller kept something as it was',
    ApplyFailed: 'the controller refused', PartitionsOffline: 'partitions without a leader',
    Paused: 'it was paused before it was anything', Deleting: 'its data is being deleted'
  }
}, {
  type: 'Progressing',
  meaning: 'something is being changed',
  reasons: { Settled: '`False`: nothing is', Moving: 'partitions get other replicas' }
}, { type: 'Paused', meaning: 'there while it holds', reasons: { Annotation: 'a person said so' } }]
