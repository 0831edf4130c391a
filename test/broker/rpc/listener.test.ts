import { expect, test } from 'vitest'
import { throughListener } from '../../../broker/rpc/listener.ts'
import { WireError } from '../../../wire/errors.ts'
import type { FetchResponse } from '../../../wire/messages.ts'
import type { Services, Stream } from '../../../wire/ports.ts'
import { broker } from '../controller/make.ts'
import { FakeStream } from './streams.ts'

const brokers = [0, 1].map(id => broker(id, id === 0 ? {
  listeners: [{ name: 'internet', address: 'b0.example:9094' }, { name: 'office', address: 'b0.office:9095' }]
} : {}))
const view = { broker: (id: number) => brokers[id] }
const notLeader = new WireError('NOT_LEADER', undefined, { leader: 0, leaderEpoch: 3, leaderAddress: 'b0:9090' })
const context = { peer: 'c:1' }

function through (services: Services): Services {
  return throughListener(services, 'internet', view)
}

test('metadata has the addresses of the listener; a broker without one there has none', async () => {
  const { unary } = through({ unary: { GetMetadata: () => Promise.resolve({ cluster: 'events', brokers }) } })
  const answer = await unary!.GetMetadata!({ topics: [], includeInternal: false }, context)
  expect(answer.cluster).toBe('events')
  expect(answer.brokers!.map(({ clientAddress }) => clientAddress)).toEqual(['b0.example:9094', ''])
})

test('an error says where the leader is for those who come this way: thrown, as an answer, in a list', async () => {
  const { unary } = through({
    unary: {
      DeleteGroup: () => Promise.reject(notLeader),
      DescribeGroup: () => Promise.resolve({ error: notLeader.toDetail() }),
      ListOffsets: () => Promise.resolve({
        results: [{ topic: 'a', partition: 0, offset: 7 }, { topic: 'a', partition: 1, error: notLeader.toDetail() }]
      })
    }
  })
  await expect(unary!.DeleteGroup!({ group: 'g' }, context)).rejects.toMatchObject({
    code: 'NOT_LEADER', detail: { leader: 0, leaderEpoch: 3, leaderAddress: 'b0.example:9094' }
  })
  expect((await unary!.DescribeGroup!({ group: 'g' }, context)).error)
    .toMatchObject({ leader: 0, leaderAddress: 'b0.example:9094' })
  const { results } = await unary!.ListOffsets!({ queries: [] }, context)
  expect(results![0]).toEqual({ topic: 'a', partition: 0, offset: 7 })
  expect(results![1]!.error).toMatchObject({ leaderAddress: 'b0.example:9094' })
})

test('messages of a stream: records pass as they are, errors are told as above', () => {
  const out = new FakeStream<FetchResponse>()
  let inner: Stream<FetchResponse> | undefined
  const { streams } = through({
    streams: {
      Fetch: stream => {
        inner = stream
        return { message: () => {}, close: () => {} }
      }
    }
  })
  streams!.Fetch!(out, context)
  const records = { subscriptionId: 1, records: new Uint8Array(8), highWatermark: 1, logStart: 0, leaderEpoch: 1 }
  expect(inner!.send(records)).toBe(true)
  expect(out.sent[0]).toBe(records)
  inner!.send({ subscriptionId: 1, error: notLeader.toDetail() })
  expect(out.sent[1]).toMatchObject({ error: { leader: 0, leaderAddress: 'b0.example:9094' } })
  // Nobody leads: nothing to translate.
  const nobody = { subscriptionId: 2, error: new WireError('LEADER_NOT_AVAILABLE').toDetail() }
  inner!.send(nobody)
  expect(out.sent[2]).toEqual(nobody)
  out.takes = false
  expect(inner!.send(records)).toBe(false)
  inner!.end()
  expect(out.ended).toBe(true)
})
