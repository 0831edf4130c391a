import { beforeEach, expect, test } from 'vitest'
import * as limits from '../../../broker/limits.ts'
import { produceServices } from '../../../broker/rpc/produce.ts'
import { WireError } from '../../../wire/errors.ts'
import type { ProduceRequest, ProduceResponse } from '../../../wire/messages.ts'
import type { StreamHandlers } from '../../../wire/ports.ts'
import { FakePartitions, FakeStream } from './streams.ts'

let partitions: FakePartitions
let stream: FakeStream<ProduceResponse>
let handlers: StreamHandlers<ProduceRequest>

beforeEach(() => {
  partitions = new FakePartitions()
  stream = new FakeStream()
  handlers = produceServices(partitions).streams!.Produce!(stream, { peer: '' })
})

function send (correlationId: number, batch = new Uint8Array(100)): void {
  handlers.message({ correlationId, topic: 't', topicId: '', partition: 3, batch })
}

function answer (index: number, error?: WireError): void {
  partitions.appended[index]!.done(error, 40 + index, 7)
}

test('hands batches on as they are and answers each', () => {
  const batch = new Uint8Array(80)
  send(5, batch)
  send(6)
  expect(partitions.appended[0]!.batch).toBe(batch)
  expect(partitions.appended[0]!.ref).toEqual({ topic: 't', topicId: '', partition: 3 })
  answer(1, new WireError('NOT_LEADER', undefined, { leader: 2 }))
  answer(0)
  expect(stream.sent).toMatchObject([
    { correlationId: 6, baseOffset: -1, leaderEpoch: -1, error: { code: 'NOT_LEADER', leader: 2 } },
    { correlationId: 5, baseOffset: 40, leaderEpoch: 7 }
  ])
})

test('stops reading while too many bytes wait, until half of them are answered', () => {
  const bytes = limits.producePendingBytesPerStreamMax / 8
  for (let n = 0; n < 8; n++) send(n, new Uint8Array(bytes))
  expect(stream.paused).toBe(false)
  send(8, new Uint8Array(1))
  expect(stream.paused).toBe(true)
  for (let n = 0; n < 4; n++) answer(n)
  expect(stream.paused).toBe(true)
  answer(4)
  expect(stream.paused).toBe(false)
})

test('stops reading while too many batches wait', () => {
  for (let n = 0; n <= limits.producePendingPerStreamMax; n++) send(n, new Uint8Array(1))
  expect(stream.paused).toBe(true)
})

test('stops reading while the client does not take its answers', () => {
  send(1)
  stream.takes = false
  answer(0)
  expect(stream.paused).toBe(true)
  handlers.drain!()
  expect(stream.paused).toBe(false)
})

test('answers what is under way after the client has ended its side', () => {
  send(1)
  handlers.close(undefined)
  expect(stream.ended).toBe(false)
  answer(0)
  expect(stream.sent).toHaveLength(1)
  expect(stream.ended).toBe(true)
})
