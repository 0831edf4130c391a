import { beforeEach, describe, expect, it } from 'vitest'
import { WireError } from '../../../wire/errors.ts'
import { ControllerClient } from '../../../operator/reconcile/controller-client.ts'
import { Views } from '../../../operator/reconcile/views.ts'
import { FakeClock } from '../fake-clock.ts'
import { ScriptedApi } from '../kube/scripted-api.ts'
import { silentLog } from '../silent-log.ts'
import { FakeController } from './fake-controller.ts'

const cluster = 'n/events'
const topic = {
  name: 'orders',
  partitions: 6,
  replicas: 3,
  minInSync: 2,
  retentionMs: 1,
  retentionBytes: -1,
  segmentBytes: 1,
  ownerUid: 'u'
}

let controller: FakeController
let clock: FakeClock
let views: Views
let told: string[]

beforeEach(() => {
  const api = new ScriptedApi()
  api.stored = {
    apiVersion: 'v1',
    kind: 'Lease',
    metadata: { name: 'x', annotations: { 'millrace.dev/controller-address': '127.0.0.1:9091' } }
  }
  controller = new FakeController()
  for (const id of [0, 1, 2]) controller.brokers.register(id)
  clock = new FakeClock()
  views = new Views(new ControllerClient(controller, api, () => undefined), clock, silentLog)
  told = []
  views.onChange((key, topics) => { told.push(`${key} ${topics.join()}`) })
})

const questions = (): number => controller.count('DescribeCluster')

describe('views', () => {
  it('asks once for a burst of news, at most ten times a second', async () => {
    for (let ms = 0; ms < 1_000; ms++) {
      views.poke(cluster)
      await clock.advance(1)
    }
    expect(questions()).toBeGreaterThan(5)
    expect(questions()).toBeLessThan(12)
  })

  it('asks by itself while something moves, seldom while a disk is low, and not at all otherwise', async () => {
    await views.refresh(cluster)
    await clock.advance(3_600_000)
    expect(questions()).toBe(1)
    controller.lowDisks = [{ brokerId: 1, full: false, lowMs: 1 }]
    await views.refresh(cluster)
    await clock.advance(10 * 60_000)
    expect(questions()).toBeGreaterThan(10)
    expect(questions()).toBeLessThan(14)
    controller.lowDisks = []
    await clock.advance(60_000 + 1_000)
    const asked = questions()
    expect(told.length).toBeGreaterThan(1)
    await clock.advance(3_600_000)
    expect(questions()).toBe(asked)
  })

  it('asks within two seconds of news, however slow the last answer was', async () => {
    // The broker stands still in the middle of its answer.
    const { promise, resolve } = Promise.withResolvers<void>()
    controller.held = promise
    const asked = views.refresh(cluster)
    await clock.advance(4_000)
    resolve()
    await asked
    views.poke(cluster)
    await clock.advance(2_100)
    expect(questions()).toBe(2)
  })

  it('never asks without news', async () => {
    await views.refresh(cluster)
    await clock.advance(3_600_000)
    expect(questions()).toBe(1)
  })

  it('shares one answer among those who ask at once', async () => {
    await Promise.all([views.refresh(cluster), views.refresh(cluster), views.refresh(cluster)])
    expect(questions()).toBe(1)
  })

  it('tells which topics changed, and nothing when nothing did', async () => {
    await controller.call(controller.address, 'ApplyTopic', topic)
    await views.refresh(cluster)
    await views.refresh(cluster)
    controller.topics.get('orders')!.offline = 1
    await views.refresh(cluster)
    controller.topics.clear()
    await views.refresh(cluster)
    expect(told).toEqual([`${cluster} orders`, `${cluster} orders`, `${cluster} orders`])
  })

  it('asks again while it gets no answer, more and more slowly, and says how long that is', async () => {
    await views.refresh(cluster)
    controller.onCall = () => new WireError('CONNECTION_REFUSED')
    views.poke(cluster)
    await clock.advance(60_000)
    expect(questions()).toBeLessThan(40)
    expect(views.silentMs(cluster)).toBeGreaterThan(59_000)
    expect(views.get(cluster)?.controller).toBe(0)
    controller.onCall = () => undefined
    await clock.advance(5_000)
    expect(views.silentMs(cluster)).toBe(0)
    expect(told.length).toBeGreaterThan(1)
  })

  it('asks no more often when those who are told of silence ask again', async () => {
    controller.onCall = () => new WireError('CONNECTION_REFUSED')
    views.onChange(() => { clock.setTimer(1, () => { views.refresh(cluster).catch(() => {}) }) })
    await expect(views.refresh(cluster)).rejects.toBeInstanceOf(WireError)
    await clock.advance(60_000)
    expect(questions()).toBeLessThan(40)
    // News are another matter.
    controller.onCall = () => undefined
    views.poke(cluster)
    await clock.advance(150)
    expect(views.silentMs(cluster)).toBe(0)
  })

  it('forgets a cluster: nothing is asked any more', async () => {
    controller.onCall = () => new WireError('CONNECTION_REFUSED')
    await expect(views.refresh(cluster)).rejects.toBeInstanceOf(WireError)
    views.forget(cluster)
    const before = questions()
    await clock.advance(60_000)
    expect(questions()).toBe(before)
    expect(clock.timers).toBe(0)
  })

  it('asks how many partitions there are when it learns of a new topic, and not of one that it knows', async () => {
    await views.refresh(cluster)
    const { topic: status } = await controller.call(controller.address, 'ApplyTopic', topic)
    const before = questions()
    views.learn(cluster, status!)
    await clock.advance(2_000)
    expect(questions()).toBe(before + 1)
    expect(views.get(cluster)?.partitions).toBe(6)
    views.learn(cluster, status!)
    await clock.advance(60_000)
    expect(questions()).toBe(before + 1)
  })

  it('learns what ApplyTopic answered, and asks once more if an older answer was under way', async () => {
    await views.refresh(cluster)
    const later = new FakeController()
    for (const id of [0, 1, 2]) later.brokers.register(id)
    const { topic: status } = await later.call(later.address, 'ApplyTopic', topic)
    const asking = views.refresh(cluster)
    views.learn(cluster, status!)
    expect(views.get(cluster)!.topics.has('orders')).toBe(true)
    await asking
    controller.topics.set('orders', later.topics.get('orders')!)
    await clock.advance(200)
    expect(questions()).toBe(3)
    expect(views.get(cluster)!.topics.has('orders')).toBe(true)
  })
})
