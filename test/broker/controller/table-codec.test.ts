import { expect, test } from 'vitest'
import { decodeTable, encodeTable } from '../../../broker/controller/table-codec.ts'
import { TableFormatError } from '../../../broker/controller/row-text.ts'
import { broker, id, row, table, topic, topicId } from './make.ts'

const full = table({
  controllerEpoch: 4,
  writeId: '00000000deadbeef',
  tables: ['events-1'],
  brokers: new Map([[0, broker(0)], [1, broker(1, { fenced: true, rack: 'a' })]]),
  topics: new Map([
    ['ffffffffffffffff', topic({ topicId: 'ffffffffffffffff', name: '__groups', internal: true })],
    [topicId, topic()]
  ]),
  rows: new Map([['ffffffffffffffff', [row({ topicId: 'ffffffffffffffff', inSync: [id(1, 9)], leader: 1 })]],
    [topicId, [row(), row({ partition: 1, leader: -1 })]]])
})

test('a table as an object, pinned', () => {
  expect(encodeTable(full)).toEqual({
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'PartitionTable',
    metadata: { name: 'events-0', uid: 'u1', resourceVersion: '7', labels: { 'millrace.dev/cluster': 'events' } },
    spec: {
      controllerEpoch: 4,
      writeId: '00000000deadbeef',
      tables: ['events-1'],
      brokers: [
        {
          id: 0, epoch: 3, volumeId: 'aaaaaaaaaaaaaaa0', incarnation: 'ccccccccccccccc0', fenced: false,
          stopping: false, clientAddress: 'b0:9090', peerAddress: 'b0:9091', rack: ''
        },
        {
          id: 1, epoch: 3, volumeId: 'aaaaaaaaaaaaaaa1', incarnation: 'ccccccccccccccc1', fenced: true, stopping: false,
          clientAddress: 'b1:9090', peerAddress: 'b1:9091', rack: 'a'
        }
      ],
      identities: ['1/aaaaaaaaaaaaaaa1/9', '0/aaaaaaaaaaaaaaa0/0', '1/aaaaaaaaaaaaaaa1/0', '2/aaaaaaaaaaaaaaa2/0'],
      topics: [
        {
          id: 'ffffffffffffffff', name: '__groups', internal: true, partitions: 1, replicas: 3, minInSync: 2,
          retentionMs: -1, retentionBytes: -1, segmentBytes: 1_048_576, deleting: false, orphaned: false,
          ownerUid: 'uid'
        },
        {
          id: topicId, name: 'orders', internal: false, partitions: 1, replicas: 3, minInSync: 2, retentionMs: -1,
          retentionBytes: -1, segmentBytes: 1_048_576, deleting: false, orphaned: false, ownerUid: 'uid'
        }
      ],
      rows: ['0 0 0,1,2 1 5 0 9 2', '1 0 0,1,2 0 5 1,2,3 9 2', '1 1 0,1,2 - 5 1,2,3 9 2']
    }
  })
})

test('an object is the table that was encoded', () => {
  expect(decodeTable(encodeTable(full)))
    .toEqual({ ...full, metadata: { ...full.metadata, uid: 'u1', resourceVersion: '7' } })
})

test('what people put into the metadata is written back; field ownership is left to the server', () => {
  const metadata = {
    ...full.metadata, annotations: { note: 'mine' }, finalizers: ['x'], managedFields: [{}], uid: 'u1',
    resourceVersion: '7'
  }
  const { managedFields: _, ...kept } = metadata
  expect(encodeTable({ ...full, metadata }).metadata).toEqual(kept)
})

test.each([
  ['no spec', undefined],
  ['rows out of order', { rows: ['0 1 0 0 1 0 1 1'], topics: [{ id: topicId }], identities: ['0/aaaaaaaaaaaaaaa0/0'] }],
  ['a row of no topic', { rows: ['0 0 0 0 1 0 1 1'], identities: ['0/aaaaaaaaaaaaaaa0/0'] }],
  ['a wrong type', { controllerEpoch: '7' }],
  ['a wrong list', { tables: 'events-1' }],
  ['a wrong identity', { identities: ['0/zz/0'] }]
])('does not read: %s', (_what, spec) => {
  const metadata = { name: 'events-0', uid: 'u', resourceVersion: '1' }
  const object = { apiVersion: 'millrace.dev/v1alpha1', kind: 'PartitionTable', metadata, spec }
  expect(() => decodeTable(object)).toThrow(TableFormatError)
})
