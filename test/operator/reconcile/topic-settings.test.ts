import { describe, expect, it } from 'vitest'
import type { TopicInfo } from '../../../wire/messages.ts'
import { differences, topicSettings } from '../../../operator/reconcile/topic-settings.ts'
import type { ClusterSpec } from '../../../operator/schema/cluster.ts'
import type { Topic } from '../../../operator/schema/resources.ts'
import type { TopicSpec } from '../../../operator/schema/topic.ts'
import { clusterOf } from '../objects/fixtures.ts'

function topicOf (spec: Partial<TopicSpec> = {}): Topic {
  return {
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'Topic',
    metadata: { name: 'orders', namespace: 'streams', uid: 'u1' },
    spec: { cluster: 'events', deletePolicy: 'Retain', ...spec }
  }
}

const existing: TopicInfo = {
  topicId: '0123456789abcdef',
  name: 'orders',
  internal: false,
  partitions: 12,
  replicas: 2,
  minInSync: 2,
  retentionMs: 1,
  retentionBytes: 2,
  segmentBytes: 3,
  deleting: false,
  orphaned: false
}

describe('topic settings', () => {
  it.each<[string, Partial<TopicSpec>, Partial<ClusterSpec>, TopicInfo | undefined, object]>([
    ['defaults', {}, {}, undefined, {
      partitions: 6, replicas: 3, minInSync: 2, retentionMs: 604_800_000, retentionBytes: -1, segmentBytes: 2 ** 30
    }],
    ['a cluster of two', {}, { brokers: 2 }, undefined, { replicas: 2, minInSync: 2 }],
    ['a cluster of one', {}, { brokers: 1 }, undefined, { replicas: 1, minInSync: 1 }],
    ['five replicas', { replicas: 5 }, {}, undefined, { replicas: 5, minInSync: 3 }],
    ["the cluster's pair", {}, { topicDefaults: { partitions: 3, replicas: 3, minInSync: 3 } }, undefined,
      { partitions: 3, replicas: 3, minInSync: 3 }],
    ['own replicas: their majority', { replicas: 5 }, { topicDefaults: { partitions: 3, minInSync: 1 } }, undefined,
      { minInSync: 3 }],
    ["the cluster's minInSync where there are fewer replicas", {},
      { brokers: 1, topicDefaults: { partitions: 3, minInSync: 2 } }, undefined, { replicas: 1, minInSync: 1 }],
    ['a topic that is there already', {}, { topicDefaults: { partitions: 99, replicas: 5 } }, existing,
      { partitions: 12, replicas: 2, minInSync: 2, retentionMs: 604_800_000, retentionBytes: -1 }],
    ['more replicas of such a topic', { replicas: 3 }, {}, existing, { replicas: 3, minInSync: 2 }],
    ['retention', { retention: { age: '1d' } },
      { topicDefaults: { partitions: 1, retention: { age: '2d', bytes: '1Ki' } } }, undefined,
      { retentionMs: 86_400_000, retentionBytes: 1024 }],
    ['no limit', { retention: { age: 'unlimited', bytes: 'unlimited' } },
      { topicDefaults: { partitions: 1, retention: { bytes: '1Ki' } } }, undefined,
      { retentionMs: -1, retentionBytes: -1 }]
  ])('%s', (_name, topic, cluster, known, wanted) => {
    expect(topicSettings(topicOf(topic), clusterOf(cluster), known))
      .toMatchObject({ name: 'orders', ownerUid: 'u1', ...wanted })
  })

  it('names the field of a value that does not parse', () => {
    expect(() => topicSettings(topicOf({ retention: { age: 'soon' } }), clusterOf(), undefined))
      .toThrow('spec.retention.age')
  })

  it('says in what a topic differs', () => {
    const wanted = topicSettings(topicOf({ partitions: 13 }), clusterOf(), existing)
    expect(differences(wanted, { ...existing, ...wanted })).toEqual([])
    expect(differences(wanted, { ...existing, ...wanted, partitions: 12, retentionMs: 5 }))
      .toEqual(['partitions', 'retentionMs'])
  })
})
