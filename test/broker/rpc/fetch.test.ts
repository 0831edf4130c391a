import { beforeEach, describe, expect, test } from 'vitest'
import * as limits from '../../../broker/limits.ts'
import { fetchServices } from '../../../broker/rpc/fetch.ts'
import { WireError } from '../../../wire/errors.ts'
import type { FetchRequest, FetchResponse, Sent } from '../../../wire/messages.ts'
import type { StreamHandlers } from '../../../wire/ports.ts'
import { batches } from '../../../wire/record-batch.ts'
import { FakePartitions, FakeStream, turn } from './streams.ts'

let partitions: FakePartitions
let stream: FakeStream<FetchResponse>
let handlers: StreamHandlers<FetchRequest>

beforeEach(() => {
  partitions = new FakePartitions()
  stream = new FakeStream()
  handlers = fetchServices(partitions).streams!.Fetch!(stream, { peer: '' })
})

async function subscribe (subscriptionId: number, offset: number, creditBytes: number): Promise<void> {
  const fetch = { topic: 't', partition: 0, topicId: '', offset, leaderEpoch: 2, creditBytes, fromFollower: false }
  handlers.message({ request: 'subscribe', subscribe: { subscriptionId, ...fetch } })
  await turn()
}

async function credit (subscriptionId: number, bytes: number): Promise<void> {
  handlers.message({ request: 'credit', credit: { subscriptionId, bytes } })
  await turn()
}

function offsets (message: Sent<FetchResponse>): number[] {
  return [...batches(message.records!)].map(header => header.baseOffset)
}

function allOffsets (): number[] {
  return stream.sent.flatMap(message => message.error === undefined ? offsets(message) : [])
}

describe('a subscription', () => {
  test('gets what is committed, then waits; news of an empty end once', async () => {
    await subscribe(1, 0, 10_000)
    expect(stream.sent).toEqual([expect.objectContaining({ subscriptionId: 1, highWatermark: 0, leaderEpoch: 3 })])
    partitions.change()
    await turn()
    expect(stream.sent).toHaveLength(1)
    partitions.commit(3)
    await turn()
    partitions.commit(4)
    await turn()
    expect(allOffsets()).toEqual([0, 1, 2, 3])
    expect(stream.sent.at(-1)).toMatchObject({ highWatermark: 4 })
  })

  test('misses nothing that happens while a read is under way', async () => {
    partitions.hold = []
    await subscribe(1, 0, 10_000)
    partitions.commit(2)
    const [release] = partitions.hold
    partitions.hold = undefined
    release!()
    await turn()
    expect(allOffsets()).toEqual([0, 1])
  })

  test('gets at least one batch while it has credit, and no more than that without', async () => {
    partitions.highWatermark = 5
    await subscribe(1, 0, 1)
    expect(allOffsets()).toEqual([0])
    partitions.change()
    await turn()
    expect(allOffsets()).toEqual([0])
    const { length } = stream.sent[0]!.records!
    await credit(1, length - 1)
    expect(allOffsets()).toEqual([0])
    await credit(1, 2 * length)
    expect(allOffsets()).toEqual([0, 1, 2])
  })

  test('reads with the credit that it has, 1 MiB at most', async () => {
    await subscribe(1, 0, 500)
    await subscribe(2, 0, limits.fetchCreditBytesMax * 10)
    expect(partitions.reads.map(read => read.bytesMax)).toEqual([500, limits.fetchBytesPerMessageMax])
  })

  test('says the client\'s leader epoch with the first read only', async () => {
    partitions.highWatermark = 1
    await subscribe(1, 0, 10_000)
    expect(partitions.reads.map(read => read.leaderEpoch)).toEqual([2, -1])
  })

  test('ends with an error, the others go on; late credit for it is ignored', async () => {
    partitions.failure = new WireError('NOT_LEADER', undefined, { leader: 2 })
    await subscribe(1, 0, 10_000)
    expect(stream.sent).toHaveLength(1)
    expect(stream.sent[0]).toMatchObject({ subscriptionId: 1, error: { code: 'NOT_LEADER', leader: 2 } })
    partitions.failure = undefined
    await credit(1, 5)
    await subscribe(2, 0, 10_000)
    expect(stream.sent).toHaveLength(2)
    expect(stream.destroyed).toBeUndefined()
  })

  test('ends when the client says so, and with the stream', async () => {
    await subscribe(1, 0, 10_000)
    await subscribe(2, 0, 10_000)
    handlers.message({ request: 'unsubscribe', unsubscribe: { subscriptionId: 1 } })
    expect(partitions.waiters.size).toBe(1)
    handlers.close(undefined)
    expect(partitions.waiters.size).toBe(0)
    expect(stream.ended).toBe(true)
    partitions.commit(1)
    await turn()
    expect(allOffsets()).toEqual([])
  })
})

describe('a slow client', () => {
  test('is sent nothing more until it drains, then everyone in turn', async () => {
    partitions.highWatermark = 9
    stream.takes = false
    await subscribe(1, 0, 1)
    await subscribe(2, 4, 1)
    await credit(1, 1_000)
    expect(stream.sent.map(message => message.subscriptionId)).toEqual([1])
    stream.takes = true
    handlers.drain!()
    await turn()
    expect(stream.sent.map(message => message.subscriptionId).slice(0, 3)).toEqual([1, 2, 1])
  })

  test('never makes more reads run at once than are allowed', async () => {
    partitions.hold = []
    for (let id = 1; id <= limits.fetchReadsPerStreamMax + 3; id++) await subscribe(id, 0, 100)
    expect(partitions.reads).toHaveLength(limits.fetchReadsPerStreamMax)
    partitions.hold.shift()!()
    await turn()
    expect(partitions.reads).toHaveLength(limits.fetchReadsPerStreamMax + 1)
  })
})

test.each([
  ['an id in use', {
    request: 'subscribe',
    subscribe: { subscriptionId: 1, topic: 't', partition: 0, topicId: '', offset: 0, leaderEpoch: -1, creditBytes: 1 }
  }],
  ['negative credit', { request: 'credit', credit: { subscriptionId: 1, bytes: -1 } }],
  ['nothing', {}]
] as [string, FetchRequest][])('a malformed request breaks the stream: %s', async (_name, request) => {
  await subscribe(1, 0, 1)
  handlers.message(request)
  expect(stream.destroyed?.code).toBe('INVALID_REQUEST')
})

test('a negative offset is refused', async () => {
  await subscribe(1, -1, 1)
  expect(stream.sent[0]?.error?.code).toBe('INVALID_REQUEST')
})
