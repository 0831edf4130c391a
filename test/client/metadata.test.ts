// What brokers say of topics, and when the client believes that one is gone (found by the simulator: a
// broker that had lost the controller made every reader of a topic made since then fail for good).
import { expect, test } from 'vitest'
import { Metadata } from '../../client/metadata.ts'
import { WireError } from '../../wire/errors.ts'
import type { GetMetadataResponse } from '../../wire/messages.ts'
import { noCodec } from '../../wire/compression.ts'
import type { Net } from '../../wire/ports.ts'
import { SimRng } from '../sim/rng.ts'
import { FakeClock } from './fake-clock.ts'

const first = '0123456789abcdef'
const second = 'fedcba9876543210'

function answer (controller: number, known: boolean, topicId = first): GetMetadataResponse {
  const info = {
    topicId, name: 't', internal: false, partitions: 1, replicas: 1, minInSync: 1,
    retentionMs: -1, retentionBytes: -1, segmentBytes: 1, deleting: false, orphaned: false
  }
  const row = {
    topicId: info.topicId, partition: 0, replicas: [0], leader: 0, leaderEpoch: 1, inSync: [], version: 1,
    minInSync: 1, adding: [], removing: [], barred: []
  }
  return {
    cluster: 'c', clusterUid: 'u', controller, controllerEpoch: 1, brokers: [],
    topics: known ? [{ topic: info, partitions: [row] }] : []
  }
}

const broker = {
  brokerId: 0, volumeId: '', brokerEpoch: 1, incarnation: '', fenced: false, stopping: false, peerAddress: '', rack: '',
  draining: false, listeners: [], maintenance: false
}

function follow (say: () => GetMetadataResponse) {
  const clock = new FakeClock()
  const net = { call: () => Promise.resolve(say()), identify: () => {} } as unknown as Net
  const idle = { onWaiting: () => {}, codecs: noCodec, tell: () => {}, tracing: undefined }
  const metadata = new Metadata({ net, clock, rng: new SimRng(1), ...idle }, ['b:1'])
  metadata.track('t')
  return { clock, metadata }
}

test('a broker without a session says nothing about what does not exist', async () => {
  let known = true
  const { clock, metadata } = follow(() => answer(known ? 0 : -1, known))
  await clock.advance(1_000)
  known = false
  metadata.requestRefresh()
  await clock.advance(60_000)
  expect([metadata.isGone('t'), metadata.topic('t')?.name]).toEqual([false, 't'])
})

test('one word of a broker that lags behind is not enough', async () => {
  let answers = 0
  const { clock, metadata } = follow(() => answer(0, ++answers !== 2))
  await clock.advance(1_000)
  metadata.requestRefresh()
  await clock.advance(60_000)
  expect(answers).toBeGreaterThan(2)
  expect([metadata.isGone('t'), metadata.topic('t')?.name]).toEqual([false, 't'])
})

test('a topic that was never there is unknown soon, one that was there later', async () => {
  const never = follow(() => answer(0, false))
  await never.clock.advance(3_000)
  expect(never.metadata.isGone('t')).toBe(true)
  let known = true
  const deleted = follow(() => answer(0, known))
  await deleted.clock.advance(1_000)
  known = false
  deleted.metadata.requestRefresh()
  await deleted.clock.advance(3_000)
  expect(deleted.metadata.isGone('t')).toBe(false)
  await deleted.clock.advance(5_000)
  expect([deleted.metadata.isGone('t'), deleted.metadata.topic('t')]).toEqual([true, undefined])
})

test('a topic that was made again is the new one soon, whatever brokers say that lag behind', async () => {
  let answers = 0
  let say = (): GetMetadataResponse => answer(0, true, first)
  const { clock, metadata } = follow(() => {
    answers++
    return say()
  })
  await clock.advance(1_000)
  // One of three brokers has lost its session, or does not know yet that it has.
  say = () => answers % 3 === 0 ? answer(-1, true, first) : answer(0, true, second)
  metadata.requestRefresh()
  await clock.advance(5_000)
  expect(metadata.topic('t')?.topicId).toBe(second)
  for (const controller of [-1, 0]) {
    say = () => answers % 3 === 0 ? answer(controller, true, first) : answer(0, true, second)
    for (let i = 0; i < 10; i++) {
      metadata.requestRefresh()
      await clock.advance(1_000)
      expect(metadata.topic('t')?.topicId).toBe(second)
    }
  }
})

test('what a broker without a session knew counts until another broker answers', async () => {
  let lost = true
  const { clock, metadata } = follow(() => answer(lost ? -1 : 0, true, lost ? first : second))
  await clock.advance(1_000)
  expect(metadata.topic('t')?.topicId).toBe(first)
  lost = false
  metadata.requestRefresh()
  await clock.advance(100)
  expect(metadata.topic('t')?.topicId).toBe(second)
})

/** Brokers by address: the cluster of each. It refuses who means another, as brokers do. */
function world (served: Map<string, string>) {
  const clock = new FakeClock()
  let meant = ''
  const identified: string[] = []
  const net = {
    call: (address: string) => {
      const cluster = served.get(address)
      if (cluster === undefined) return Promise.reject(new WireError('CONNECTION_REFUSED'))
      if (meant !== '' && meant !== cluster) return Promise.reject(new WireError('WRONG_BROKER'))
      const said = answer(0, true, cluster === 'u' ? first : second)
      const brokers = [{ ...broker, clientAddress: `pod-of-${cluster}:1` }]
      return Promise.resolve({ ...said, clusterUid: cluster, controllerEpoch: cluster === 'u' ? 5 : 1, brokers })
    },
    identify: (cluster: string) => { identified.push(meant = cluster) },
    forget: () => {}
  } as unknown as Net
  const idle = { onWaiting: () => {}, codecs: noCodec, tell: () => {}, tracing: undefined }
  const client = (...bootstrap: string[]): Metadata => {
    const metadata = new Metadata({ net, clock, rng: new SimRng(1), ...idle }, bootstrap)
    metadata.track('t')
    return metadata
  }
  return { clock, client, identified, meant: () => meant }
}

test('another cluster\'s broker at the address of a pod is not believed; at a bootstrap address it is', async () => {
  const served = new Map([['b:1', 'u'], ['pod-of-u:1', 'u']])
  const { clock, client, meant } = world(served)
  const metadata = client('b:1')
  await clock.advance(1_000)
  expect([meant(), metadata.topic('t')?.topicId, metadata.leader('t', 0)?.address]).toEqual(['u', first, 'pod-of-u:1'])

  served.delete('b:1')
  served.set('pod-of-u:1', 'v')
  metadata.requestRefresh()
  await clock.advance(20_000)
  expect([meant(), metadata.topic('t')?.topicId]).toEqual(['u', first])

  served.set('b:1', 'v')
  metadata.requestRefresh()
  await clock.advance(20_000)
  expect([meant(), metadata.topic('t')?.topicId, metadata.leader('t', 0)?.address]).toEqual(['v', second, 'pod-of-v:1'])
})

test('a cluster made again is found where a client begins, never at an address that a third one has now', async () => {
  const served = new Map([['b:1', 'u'], ['pod-of-u:1', 'u']])
  const { clock, client, meant } = world(served)
  const metadata = client('b:1')
  await clock.advance(1_000)
  served.set('b:1', 'v')
  served.set('pod-of-u:1', 'w')
  served.set('pod-of-w:1', 'w')
  for (let round = 0; round < 4; round++) {
    metadata.requestRefresh()
    await clock.advance(20_000)
    expect([meant(), metadata.leader('t', 0)?.address]).toEqual(['v', 'pod-of-v:1'])
  }
})

test('one bootstrap address of several that is another cluster\'s changes nothing', async () => {
  const served = new Map([['b:1', 'u'], ['b:2', 'u'], ['pod-of-u:1', 'u'], ['pod-of-v:1', 'v']])
  const { clock, client, identified } = world(served)
  const metadata = client('b:1', 'b:2')
  await clock.advance(1_000)
  served.set('b:1', 'v')
  for (let round = 0; round < 6; round++) {
    metadata.requestRefresh()
    await clock.advance(20_000)
    expect([metadata.topic('t')?.topicId, metadata.leader('t', 0)?.address]).toEqual([first, 'pod-of-u:1'])
  }
  expect(identified).toEqual(['u'])
})
