import { expect, test } from 'vitest'
import * as limits from '../../../broker/limits.ts'
import { listOffsetsServices } from '../../../broker/rpc/offsets-list.ts'
import { WireError } from '../../../wire/errors.ts'
import type { ListOffsetsRequest_Query } from '../../../wire/messages.ts'
import { FakePartitions } from './streams.ts'

function query (target: ListOffsetsRequest_Query['target'], timestamp = 0): ListOffsetsRequest_Query {
  return { topic: 't', partition: 1, target, timestamp }
}

test('answers in the order of the queries, an error for itself', async () => {
  const partitions = new FakePartitions()
  partitions.logStart = 2
  partitions.highWatermark = 9
  const list = listOffsetsServices(partitions).unary!.ListOffsets!
  const queries = [query('OFFSET_TARGET_TIMESTAMP', 77), query('OFFSET_TARGET_EARLIEST'), query('OFFSET_TARGET_LATEST'),
    query('OFFSET_TARGET_UNSPECIFIED')]
  const { results } = await list({ queries }, { peer: '' })
  expect(results).toMatchObject([
    { topic: 't', partition: 1, offset: 1, timestamp: 77 },
    { offset: 2, leaderEpoch: 3 },
    { offset: 9 },
    { error: { code: 'INVALID_REQUEST' } }
  ])
  partitions.failure = new WireError('OFFSET_NOT_AVAILABLE')
  expect((await list({ queries: [query('OFFSET_TARGET_LATEST')] }, { peer: '' })).results)
    .toMatchObject([{ error: { code: 'OFFSET_NOT_AVAILABLE' } }])
})

test('too many at once', async () => {
  const list = listOffsetsServices(new FakePartitions()).unary!.ListOffsets!
  const queries = Array.from({ length: limits.offsetsPerRequestMax + 1 }, () => query('OFFSET_TARGET_LATEST'))
  await expect(list({ queries }, { peer: '' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
})
