// Topic: what a stream shall be. The controller of the cluster makes it so.
import { conditionsSchema, observedGenerationSchema } from './conditions.ts'
import type { Resource } from './crd.ts'
import type { ObjectSchema, TypeOf } from './json-schema.ts'
import {
  bytesOrUnlimitedPattern, bytesPattern, durationLengthMax, durationPattern, quantityLengthMax
} from './quantities.ts'

/** As Kafka's: letters, digits, dot, underscore, hyphen. */
export const topicNamePattern = '^[a-zA-Z0-9._-]{1,249}$'
export const topicNameLengthMax = 249
/** One topic's rows stay in one PartitionTable of at most 256 KiB (broker/limits.ts). */
export const partitionsPerTopicMax = 2_000
export const replicasMax = 7

/** A cluster's name + '-' + a pod's ordinal is a label value: 63 characters at most. */
export const clusterNameLengthMax = 50

export const retentionSchema = {
  description: 'How long records are kept. Whole segments go; the newest one goes by age only.',
  type: 'object',
  properties: {
    age: {
      description: 'By age: 168h, 7d, 30m, or unlimited.',
      type: 'string',
      maxLength: durationLengthMax,
      pattern: durationPattern
    },
    bytes: {
      description: 'By size of each partition: 10Gi, 500M, or unlimited.',
      type: 'string',
      maxLength: quantityLengthMax,
      pattern: bytesOrUnlimitedPattern
    }
  }
} as const satisfies ObjectSchema

export const segmentBytesSchema = {
  description: 'Size at which a partition begins a new segment file, from 1Mi to 1Gi.',
  type: 'string',
  maxLength: quantityLengthMax,
  pattern: bytesPattern,
  'x-kubernetes-validations': [{
    rule: "quantity(self).compareTo(quantity('1Mi')) >= 0 && quantity(self).compareTo(quantity('1Gi')) <= 0",
    message: 'segmentBytes must be between 1Mi and 1Gi'
  }]
} as const

export const replicationRule = {
  rule: '!has(self.minInSync) || !has(self.replicas) || self.minInSync <= self.replicas',
  message: 'minInSync must not be greater than replicas'
} as const

const spec = {
  type: 'object',
  required: ['cluster'],
  properties: {
    cluster: {
      description: 'Name of the Cluster, in the same namespace.',
      type: 'string',
      minLength: 1,
      maxLength: clusterNameLengthMax,
      'x-kubernetes-validations': [{
        rule: 'self == oldSelf',
        message: 'cluster cannot be changed: create another Topic'
      }]
    },
    name: {
      description: 'Name of the topic, by default that of the object. Allows names that Kubernetes does not.',
      type: 'string',
      minLength: 1,
      maxLength: topicNameLengthMax,
      pattern: topicNamePattern,
      'x-kubernetes-validations': [
        { rule: "!self.startsWith('__')", message: 'names that begin with __ are kept for internal topics' },
        { rule: "self != '.' && self != '..'", message: 'a topic cannot be named . or ..' }
      ]
    },
    partitions: {
      description: 'Number of partitions; it can only grow. Default: topicDefaults.partitions of the cluster.',
      type: 'integer',
      format: 'int32',
      minimum: 1,
      maximum: partitionsPerTopicMax
    },
    replicas: {
      description: 'Copies of each partition, on as many brokers. It may grow and shrink while records flow. ' +
        'Default: topicDefaults.replicas of the cluster.',
      type: 'integer',
      format: 'int32',
      minimum: 1,
      maximum: replicasMax
    },
    minInSync: {
      description: 'Copies that must hold a record on disk before it is acknowledged. Default: a majority of replicas.',
      type: 'integer',
      format: 'int32',
      minimum: 1,
      maximum: replicasMax
    },
    retention: retentionSchema,
    segmentBytes: segmentBytesSchema,
    deletePolicy: {
      description: 'What deleting this object does to the records: Retain keeps serving them, Delete deletes them.',
      type: 'string',
      enum: ['Retain', 'Delete'],
      default: 'Retain'
    }
  },
  'x-kubernetes-validations': [
    replicationRule,
    {
      rule: '!has(oldSelf.partitions) || (has(self.partitions) && self.partitions >= oldSelf.partitions)',
      message: 'partitions can only grow: create another Topic to have fewer'
    },
    {
      rule: 'has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)',
      message: 'name cannot be changed: create another Topic'
    }
  ]
} as const satisfies ObjectSchema

const status = {
  type: 'object',
  properties: {
    observedGeneration: observedGenerationSchema,
    conditions: conditionsSchema,
    topicId: { description: 'Identity of the topic; a topic made anew has another.', type: 'string', maxLength: 16 },
    owner: { description: 'Name of the Topic object that owns the topic.', type: 'string', maxLength: 253 },
    partitions: { description: 'Number of partitions.', type: 'integer', format: 'int32', minimum: 0 },
    replicas: { description: 'Copies of each partition.', type: 'integer', format: 'int32', minimum: 0 },
    minInSync: { description: 'Copies that acknowledge.', type: 'integer', format: 'int32', minimum: 0 },
    underReplicated: {
      description: 'Partitions with fewer copies in sync than replicas.',
      type: 'integer',
      format: 'int32',
      minimum: 0
    },
    offline: { description: 'Partitions without a leader.', type: 'integer', format: 'int32', minimum: 0 },
    moving: {
      description: 'Partitions that get other replicas now.',
      type: 'integer',
      format: 'int32',
      minimum: 0
    },
    recovered: {
      description: 'Partitions that a person recovered without their in-sync set: records may have been lost.',
      type: 'array',
      maxItems: partitionsPerTopicMax,
      'x-kubernetes-list-type': 'atomic',
      items: { type: 'integer', format: 'int32', minimum: 0 }
    }
  }
} as const satisfies ObjectSchema

export const topicResource = {
  kind: 'Topic',
  plural: 'topics',
  singular: 'topic',
  shortNames: ['mrt'],
  description: 'Topic is a partitioned, replicated, ordered stream of records in a millrace Cluster.',
  spec,
  status,
  rules: [{
    rule: 'has(self.spec.name) || size(self.metadata.name) <= 249',
    message: 'the topic name, here metadata.name, must not be longer than 249 characters'
  }],
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.cluster' },
    { name: 'Partitions', type: 'integer', jsonPath: '.status.partitions' },
    { name: 'Replicas', type: 'integer', jsonPath: '.status.replicas' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
    { name: 'Under-Replicated', type: 'integer', jsonPath: '.status.underReplicated', priority: 1 },
    { name: 'Moving', type: 'integer', jsonPath: '.status.moving', priority: 1 },
    { name: 'Topic-Id', type: 'string', jsonPath: '.status.topicId', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
  ]
} as const satisfies Resource

export type TopicSpec = TypeOf<typeof spec>
export type TopicStatus = TypeOf<typeof status>
