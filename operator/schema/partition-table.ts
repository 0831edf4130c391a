// PartitionTable: the memory of a cluster's controller, who is in sync and who leads. Written by the
// controller alone, with compare-and-swap; never edited by people, never owned by the Cluster object.
import type { Resource } from './crd.ts'
import type { ObjectSchema, TypeOf } from './json-schema.ts'
import { brokersMax } from './cluster.ts'
import { listenersMax } from './listeners.ts'
import { partitionsPerTopicMax, replicasMax, topicNameLengthMax } from './topic.ts'

/** Tables per cluster. The brokers' Role names each of them, so the number has an end. */
export const tablesMax = 128
const rowsMax = 20_000

const hex16 = { type: 'string', maxLength: 16, pattern: '^[0-9a-f]{16}$' } as const
const address = { type: 'string', maxLength: 320 } as const
const int32 = { type: 'integer', format: 'int32', minimum: 0 } as const
const int64 = { type: 'integer', format: 'int64', minimum: 0 } as const
const limit = { type: 'integer', format: 'int64', minimum: -1 } as const

const spec = {
  type: 'object',
  required: ['controllerEpoch', 'writeId'],
  properties: {
    controllerEpoch: {
      ...int64,
      description: 'Stamp of the controller that wrote this last. It never goes back.',
      'x-kubernetes-validations': [{
        rule: 'self >= oldSelf',
        message: 'controllerEpoch never goes back: a newer controller has stamped this table'
      }]
    },
    writeId: {
      description: 'Random per write, so that a writer whose reply was lost knows its own write again.',
      type: 'string',
      minLength: 1,
      maxLength: 64
    },
    tables: {
      description: 'Root table only: the names of all other tables. A table that is not named is ignored.',
      type: 'array',
      maxItems: tablesMax,
      items: { type: 'string', maxLength: 253 }
    },
    brokers: {
      description: 'Root table only.',
      type: 'array',
      maxItems: brokersMax,
      items: {
        type: 'object',
        required: ['id', 'volumeId', 'epoch', 'incarnation'],
        properties: {
          id: int32,
          volumeId: hex16,
          epoch: int64,
          incarnation: hex16,
          fenced: { type: 'boolean' },
          stopping: { type: 'boolean' },
          clientAddress: address,
          peerAddress: address,
          rack: { type: 'string', maxLength: 253 },
          draining: { type: 'boolean', description: 'It shall hold no replica any more.' },
          maintenance: { type: 'boolean', description: 'It may be away: others lead.' },
          listeners: {
            type: 'array',
            maxItems: listenersMax,
            items: { type: 'object', properties: { name: { type: 'string', maxLength: 15 }, address } }
          }
        }
      }
    },
    identities: {
      description: 'Dictionary of the replicas that rows name by index: brokerId/volumeId/replicaGen.',
      type: 'array',
      maxItems: rowsMax,
      items: { type: 'string', maxLength: 48, pattern: '^[0-9]+/[0-9a-f]{16}/[0-9]+$' }
    },
    topics: {
      description: 'The topics whose rows are in this table.',
      type: 'array',
      maxItems: rowsMax,
      items: {
        type: 'object',
        required: ['id', 'name', 'partitions', 'replicas', 'minInSync'],
        properties: {
          id: hex16,
          name: { type: 'string', minLength: 1, maxLength: topicNameLengthMax },
          internal: { type: 'boolean' },
          partitions: { ...int32, maximum: partitionsPerTopicMax },
          replicas: { ...int32, maximum: replicasMax },
          minInSync: { ...int32, maximum: replicasMax },
          retentionMs: limit,
          retentionBytes: limit,
          segmentBytes: int64,
          deleting: { type: 'boolean' },
          orphaned: { type: 'boolean' },
          ownerUid: { type: 'string', maxLength: 64 }
        }
      }
    },
    rows: {
      description: 'One per partition, compact text; broker/controller/ has the codec.',
      type: 'array',
      maxItems: rowsMax,
      items: { type: 'string', maxLength: 1024 }
    }
  }
} as const satisfies ObjectSchema

export const partitionTableResource = {
  kind: 'PartitionTable',
  plural: 'partitiontables',
  singular: 'partitiontable',
  shortNames: ['mrpt'],
  description: 'PartitionTable holds who leads and who is in sync. Only the controller writes it: do not edit it.',
  spec,
  columns: [
    { name: 'Epoch', type: 'integer', jsonPath: '.spec.controllerEpoch' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
  ]
} as const satisfies Resource

export type PartitionTableSpec = TypeOf<typeof spec>
