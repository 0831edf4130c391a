// Cluster: brokers, their volumes, and what topics get unless they say otherwise.
import { conditionsSchema, observedGenerationSchema } from './conditions.ts'
import type { Resource } from './crd.ts'
import type { ObjectSchema, TypeOf } from './json-schema.ts'
import { listenersMax, listenersSchema } from './listeners.ts'
import { podSchema } from './pod.ts'
import {
  bytesOrUnlimitedPattern, bytesPattern, cpuPattern, durationLengthMax, durationPattern, quantityLengthMax
} from './quantities.ts'
import {
  clusterNameLengthMax, partitionsPerTopicMax, replicasMax, replicationRule, retentionSchema, segmentBytesSchema
} from './topic.ts'

/** As broker/limits.ts: one controller knows them all. */
export const brokersMax = 100
/** Of a listener, in the status: enough to begin with. */
export const addressesShownMax = 5

const amounts = {
  cpu: { description: 'Cores: 2, 500m.', type: 'string', maxLength: quantityLengthMax, pattern: cpuPattern },
  memory: { description: 'Bytes: 2Gi, 512Mi.', type: 'string', maxLength: quantityLengthMax, pattern: bytesPattern }
} as const

const storage = {
  description: 'The volume of each broker.',
  type: 'object',
  required: ['size'],
  properties: {
    size: {
      description: 'Size of each volume: 10Gi, 1Ti. It may grow, never shrink.',
      type: 'string',
      maxLength: quantityLengthMax,
      pattern: bytesPattern,
      'x-kubernetes-validations': [
        {
          rule: "quantity(self).compareTo(quantity('256Mi')) >= 0",
          message: 'storage.size must be at least 256Mi'
        },
        {
          rule: 'quantity(self).compareTo(quantity(oldSelf)) >= 0',
          message: 'storage.size may grow but not shrink'
        }
      ]
    },
    className: {
      description: "StorageClass of the volumes; left out, the namespace's default. It cannot be changed.",
      type: 'string',
      minLength: 1,
      maxLength: 253
    },
    deletePolicy: {
      description: 'What deleting the Cluster does to volumes and partition tables: keeps or deletes them.',
      type: 'string',
      enum: ['Retain', 'Delete'],
      default: 'Retain'
    }
  },
  'x-kubernetes-validations': [{
    rule: 'has(self.className) == has(oldSelf.className) && ' +
      '(!has(self.className) || self.className == oldSelf.className)',
    message: 'storage.className cannot be changed: volumes do not move between classes'
  }]
} as const satisfies ObjectSchema

const spec = {
  type: 'object',
  required: ['storage'],
  properties: {
    brokers: {
      description: 'Number of brokers. More get their share of partitions; of fewer the last ones are drained first, ' +
        'one after the other, and nothing is lost.',
      type: 'integer',
      format: 'int32',
      minimum: 1,
      maximum: brokersMax,
      default: 3
    },
    storage,
    topicDefaults: {
      description: 'What a Topic gets that does not say otherwise.',
      type: 'object',
      default: {},
      properties: {
        partitions: {
          description: 'Number of partitions.',
          type: 'integer',
          format: 'int32',
          minimum: 1,
          maximum: partitionsPerTopicMax,
          default: 6
        },
        replicas: {
          description: 'Default: 3, or as many as there are brokers if they are fewer.',
          type: 'integer',
          format: 'int32',
          minimum: 1,
          maximum: replicasMax
        },
        minInSync: {
          description: 'Default: a majority of replicas.',
          type: 'integer',
          format: 'int32',
          minimum: 1,
          maximum: replicasMax
        },
        retention: { ...retentionSchema, description: 'Default: 168h, any number of bytes.' },
        segmentBytes: segmentBytesSchema
      },
      'x-kubernetes-validations': [replicationRule]
    },
    rebalance: {
      description: 'How partitions move between brokers.',
      type: 'object',
      properties: {
        bytesPerSecond: {
          description: 'What a broker sends at most to replicas that are catching up, all together: 64Mi (the ' +
            'default), unlimited. Running brokers take a change over.',
          type: 'string',
          maxLength: quantityLengthMax,
          pattern: bytesOrUnlimitedPattern,
          'x-kubernetes-validations': [{
            rule: "self == 'unlimited' || quantity(self).compareTo(quantity('64Ki')) >= 0",
            message: 'rebalance.bytesPerSecond must be at least 64Ki, or unlimited'
          }]
        }
      }
    },
    groupExpiry: {
      description: 'How long a group that nobody uses keeps its offsets: 168h (the default), from 60s to unlimited. ' +
        'Running brokers take a change over.',
      type: 'string',
      maxLength: durationLengthMax,
      pattern: durationPattern
    },
    topologyKey: {
      description: 'Node label that brokers are spread over, and the replicas of a partition: by any label where the ' +
        'operator may read Nodes (rbac.nodes of the chart), else by hostname, and from Kubernetes 1.35 on by zone or ' +
        'region.',
      type: 'string',
      maxLength: 253,
      pattern: '^([a-z0-9.-]+/)?[A-Za-z0-9._-]+$',
      default: 'topology.kubernetes.io/zone'
    },
    resources: {
      description: 'CPU and memory of each broker.',
      type: 'object',
      properties: {
        requests: { description: 'What it is sure to get.', type: 'object', properties: amounts },
        limits: { description: 'What it gets at most.', type: 'object', properties: amounts }
      }
    },
    pod: podSchema,
    listeners: listenersSchema,
    maintenance: {
      description: 'Ids of brokers that may be away for a while: others lead, and they are not missed.',
      type: 'array',
      maxItems: brokersMax,
      'x-kubernetes-list-type': 'set',
      items: { type: 'integer', format: 'int32', minimum: 0, maximum: brokersMax - 1 }
    },
    image: {
      description: "Container image of the brokers. Default: the operator's own, so that one version runs.",
      type: 'string',
      minLength: 1,
      maxLength: 512
    },
    logLevel: {
      description: 'Of the brokers; running ones take a change over.',
      type: 'string',
      enum: ['error', 'warn', 'info', 'debug'],
      default: 'warn'
    }
  }
} as const satisfies ObjectSchema

function count (description: string): { description: string, type: 'integer', format: 'int32', minimum: 0 } {
  return { description, type: 'integer', format: 'int32', minimum: 0 }
}

const status = {
  type: 'object',
  properties: {
    phase: {
      description: 'The state in one word; conditions say more.',
      type: 'string',
      enum: ['Creating', 'Running', 'Degraded', 'Scaling', 'Rolling', 'Invalid', 'Deleting']
    },
    observedGeneration: observedGenerationSchema,
    conditions: conditionsSchema,
    brokers: {
      description: 'How many there are.',
      type: 'object',
      properties: {
        ready: count('Brokers that are registered and serve.'),
        total: count('Brokers that there shall be now.')
      }
    },
    controller: {
      description: 'Id of the broker that is the controller; -1 while there is none.',
      type: 'integer',
      format: 'int32',
      minimum: -1
    },
    partitions: {
      description: 'How they are.',
      type: 'object',
      properties: {
        total: count('Partitions of all topics, internal ones too.'),
        underReplicated: count('Partitions with fewer copies in sync than replicas.'),
        underMinInSync: count('Partitions that take no records: fewer than minInSync copies live.'),
        offline: count('Partitions without a leader.')
      }
    },
    moves: {
      description: 'Partitions that move to other brokers now.',
      type: 'object',
      properties: {
        underWay: count('How many partitions move.'),
        bytesLeft: {
          description: 'What their new replicas still have to get, as far as it is known.',
          type: 'integer',
          format: 'int64',
          minimum: 0
        }
      }
    },
    draining: {
      description: 'Brokers that are to go, in the order in which they go. One goes when it holds nothing.',
      type: 'array',
      maxItems: brokersMax,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['broker', 'replicasLeft', 'dataLeft'],
        properties: {
          broker: count('Its id.'),
          replicasLeft: count('Replicas that it has not handed over.'),
          dataLeft: count('Replicas handed over whose data it has not deleted yet.'),
          waitingFor: { description: 'Why it does not go on; left out while it does.', type: 'string', maxLength: 1024 }
        }
      }
    },
    maintenance: {
      description: 'Brokers in maintenance, and the partitions that they lead still.',
      type: 'array',
      maxItems: brokersMax,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['broker', 'leading'],
        properties: { broker: count('Its id.'), leading: count('Partitions that it leads still.') }
      }
    },
    lowDisks: {
      description: 'Brokers whose volume is low on space.',
      type: 'array',
      maxItems: brokersMax,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['broker', 'full', 'since'],
        properties: {
          broker: count('Its id.'),
          full: { description: 'It takes nothing in.', type: 'boolean' },
          since: { description: 'When it became low.', type: 'string', format: 'date-time' }
        }
      }
    },
    listeners: {
      description: 'Where clients of each listener begin: some brokers of it.',
      type: 'array',
      maxItems: listenersMax,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        properties: {
          name: { description: 'Of the listener.', type: 'string', maxLength: 15 },
          addresses: {
            description: 'host:port.',
            type: 'array',
            maxItems: addressesShownMax,
            items: { type: 'string', maxLength: 320 }
          }
        }
      }
    },
    version: { description: 'Version of millrace that every broker runs.', type: 'string', maxLength: 64 },
    bootstrap: { description: 'Address for clients inside Kubernetes, host:port.', type: 'string', maxLength: 320 },
    selector: {
      description: 'Label selector of the broker pods, for the scale subresource.',
      type: 'string',
      maxLength: 512
    }
  }
} as const satisfies ObjectSchema

export const clusterResource = {
  kind: 'Cluster',
  plural: 'clusters',
  singular: 'cluster',
  shortNames: ['mrc'],
  description: 'Cluster is a set of millrace brokers that keep topics.',
  spec,
  status,
  rules: [{
    rule: `size(self.metadata.name) <= ${clusterNameLengthMax}`,
    message: `the name of a Cluster must not be longer than ${clusterNameLengthMax} characters`
  }, {
    rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message: 'the name of a Cluster names its Services too: lower-case letters, digits and hyphens, a letter first'
  }],
  scale: {
    specReplicasPath: '.spec.brokers',
    statusReplicasPath: '.status.brokers.total',
    labelSelectorPath: '.status.selector'
  },
  columns: [
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Brokers', type: 'integer', jsonPath: '.status.brokers.total' },
    { name: 'Live', type: 'integer', jsonPath: '.status.brokers.ready', description: 'Brokers that are ready' },
    { name: 'Partitions', type: 'integer', jsonPath: '.status.partitions.total' },
    { name: 'Under-Replicated', type: 'integer', jsonPath: '.status.partitions.underReplicated' },
    { name: 'Moving', type: 'integer', jsonPath: '.status.moves.underWay', description: 'Partitions that move' },
    { name: 'Progress', type: 'string', jsonPath: '.status.conditions[?(@.type=="Progressing")].reason', priority: 1 },
    { name: 'Controller', type: 'integer', jsonPath: '.status.controller', priority: 1 },
    { name: 'Version', type: 'string', jsonPath: '.status.version', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
  ]
} as const satisfies Resource

export type ClusterSpec = TypeOf<typeof spec>
export type ClusterStatus = TypeOf<typeof status>
