import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeRow, encodeRow, TableFormatError } from '../../../broker/controller/row-text.ts'
import type { PartitionRow, ReplicaIdentity } from '../../../wire/messages.ts'
import { id, row, topicId } from './make.ts'

const identities = [id(0), id(1), id(2), id(1, 77)]
const references = { topics: ['ffffffffffffffff', topicId], identities }
const indexOf = (identity: ReplicaIdentity): number => identities.findIndex(known =>
  known.brokerId === identity.brokerId && known.replicaGen === identity.replicaGen)

test('a row as text, pinned', () => {
  expect(encodeRow(row(), 1, indexOf)).toBe('1 0 0,1,2 0 5 0,1,2 9 2')
  const growing = row({ partition: 41, leader: -1, inSync: [id(1, 77)], minInSync: 1, adding: [3, 4], removing: [0] })
  expect(encodeRow(growing, 1, indexOf))
    .toBe('1 41 0,1,2 - 5 3 9 1 +3,4 -0')
})

test('text and row are the same thing', () => {
  const number = fc.nat(Number.MAX_SAFE_INTEGER)
  const brokers = fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 7 })
  const someRow: fc.Arbitrary<PartitionRow> = fc.record({
    topicId: fc.constant(topicId),
    partition: fc.nat(1_999),
    replicas: brokers,
    leader: fc.integer({ min: -1, max: 99 }),
    leaderEpoch: number,
    inSync: fc.shuffledSubarray(identities, { minLength: 1 }),
    version: number,
    minInSync: fc.integer({ min: 1, max: 7 }),
    adding: fc.uniqueArray(fc.nat(99), { maxLength: 7 }),
    removing: fc.uniqueArray(fc.nat(99), { maxLength: 7 }),
    barred: fc.shuffledSubarray(identities)
  })
  fc.assert(fc.property(someRow, one => { expect(decodeRow(encodeRow(one, 1, indexOf), references)).toEqual(one) }))
})

test.each([
  '', '1', '1 0 0,1,2 0 5 0,1,2 9', '1 0 0,1,2 0 5  9 2', '1 0 0,1,2 0 5 0,1,2 9 2 x', '1 0 0;1 0 5 0 9 2',
  ' 1 0 0,1,2 0 5 0,1,2 9 2', '9 0 0,1,2 0 5 0,1,2 9 2', '1 0 0,1,2 0 5 0,1,9 9 2',
  '1 0 0,1,2 0 9999999999999999 0 9 2',
  `1 0 ${Array.from({ length: 15 }, (_, i) => i).join()} 0 5 0 9 2`, '1 0 0,1,2 0 5 0,1,2 9 2 -1 +2'
])('not a row: %j', text => {
  expect(() => decodeRow(text, references)).toThrow(TableFormatError)
})
