import { expect, test } from 'vitest'
import type { SessionResponse } from '../../../wire/messages.ts'
import type { Stream } from '../../../wire/ports.ts'
import { SimNet } from '../../sim/net.ts'
import { expectInSync, leadersOf, TestCluster } from './cluster.ts'

async function withTopic (options: { seed?: number, brokers: number }) {
  const cluster = TestCluster.start(options)
  await cluster.settled()
  const topicId = await cluster.applyTopic({ name: 'orders', replicas: Math.min(3, options.brokers) })
  await cluster.until(() => cluster.agreesOn(topicId))
  const controllerId = () => cluster.controllers()[0]!.self.brokerId
  const ids = [...cluster.brokers.keys()]
  const others = () => ids.filter(id => id !== controllerId())
  const healthy = () => cluster.rows(topicId).every(row => row.leader >= 0 &&
    !cluster.broker(row.leader).process.dead && cluster.broker(row.leader).replicas.leads(topicId, row.partition))
  return { cluster, topicId, controllerId, others, healthy, rows: () => cluster.rows(topicId) }
}

/** As a leader does for a learner that has caught up. */
function expand (cluster: TestCluster, topicId: string): void {
  for (const row of cluster.rows(topicId)) {
    const leader = cluster.broker(row.leader)
    const missing = row.replicas.filter(id => !row.inSync.some(member => member.brokerId === id))
    for (const id of missing) {
      const { self, replicas } = cluster.broker(id)
      const replica = replicas.get(topicId, row.partition)
      if (replica === undefined) continue
      const identity = { brokerId: id, volumeId: self.volumeId, replicaGen: replica.replicaGen }
      leader.agent.changeInSync({
        topicId,
        partition: row.partition,
        leaderEpoch: row.leaderEpoch,
        version: row.version,
        inSync: [...row.inSync, identity],
        added: [{ identity, brokerEpoch: self.brokerEpoch, durableEnd: 0 }]
      }, error => { if (error !== undefined) cluster.refusals.push(error.message) })
    }
  }
}

/** Leaders ask again when they are refused. */
async function expanded (cluster: TestCluster, topicId: string): Promise<void> {
  for (let tries = 0; tries < 10 && cluster.rows(topicId).some(row => row.inSync.length < 3); tries++) {
    expand(cluster, topicId)
    await cluster.pass(100)
  }
  for (const row of cluster.rows(topicId)) expectInSync(row, [0, 1, 2])
}

test('a silent broker is fenced after 2 s, a silent controller is replaced, within 3 s', async () => {
  const { cluster, topicId, others, controllerId, rows } = await withTopic({ brokers: 3 })
  const [victim] = others()
  cluster.broker(victim!).process.pause()
  expect(await cluster.until(() => rows().every(row => row.leader !== victim))).toBeLessThan(3_000)
  cluster.broker(victim!).process.resume()
  await cluster.settled()
  await expanded(cluster, topicId)
  const old = controllerId()
  cluster.broker(old).process.pause()
  expect(await cluster.until(() => rows().every(row => row.leader !== old && row.leader >= 0))).toBeLessThan(3_000)
  cluster.broker(old).process.resume()
  // The old one hears of the new one and registers with it.
  await cluster.settled()
  expect(controllerId()).not.toBe(old)
})

const seeds = [1, 2, 3, 4, 5, 6, 7, 8]
test.each(seeds)('a controller whose process is gone is replaced at once, seed %i', async seed => {
  const { cluster, controllerId, rows } = await withTopic({ brokers: 3, seed })
  const old = controllerId()
  cluster.kill(old)
  expect(await cluster.until(() => rows().every(row => row.leader !== old && row.leader >= 0))).toBeLessThan(150)
})

test.each(seeds)('within 3 s too when keepalives break its connections first, seed %i', async seed => {
  const { cluster, controllerId, rows } = await withTopic({ brokers: 3, seed })
  const old = controllerId()
  cluster.broker(old).process.pause()
  cluster.network.review()
  expect(await cluster.until(() => rows().every(row => row.leader !== old && row.leader >= 0))).toBeLessThan(3_000)
})

test.each(seeds)('within 3 s too when they hear nobody but are heard, seed %i', async seed => {
  const { cluster, controllerId, others, rows } = await withTopic({ brokers: 3, seed })
  for (const victim of [others()[0]!, controllerId()]) {
    cluster.deafen(victim, true)
    cluster.network.review()
    expect(await cluster.until(() => rows().every(row => row.leader !== victim && row.leader >= 0))).toBeLessThan(3_000)
    cluster.deafen(victim, false)
    await cluster.settled()
  }
})

test('a broker that restarts is elected anew, in a higher epoch, before it leads again', async () => {
  const { cluster, topicId, rows, healthy } = await withTopic({ brokers: 1 })
  expect(rows().every(row => row.leaderEpoch === 1)).toBe(true)
  cluster.kill(0)
  cluster.boot(0)
  await cluster.settled()
  await cluster.until(() => cluster.agreesOn(topicId) && healthy())
  expect(rows().every(row => row.leader === 0 && row.leaderEpoch === 2)).toBe(true)
})

test('all brokers die at once and come back in any order', async () => {
  const { cluster, topicId, healthy } = await withTopic({ brokers: 3, seed: 5 })
  for (const id of [0, 1, 2]) cluster.kill(id)
  await cluster.pass(100)
  for (const id of [2, 0, 1]) {
    cluster.boot(id)
    await cluster.pass(30)
  }
  expect(await cluster.settled()).toBeLessThan(1_500)
  expect(await cluster.until(() => cluster.agreesOn(topicId) && healthy())).toBeLessThan(1_500)
})

test('graceful stop: leaderships move before the broker may stop, the set shrinks with them', async () => {
  const { cluster, topicId, others, rows } = await withTopic({ brokers: 3 })
  const [leaving] = others()
  let stopped = false
  void cluster.broker(leaving!).agent.stop().then(() => { stopped = true })
  expect(await cluster.until(() => stopped)).toBeLessThan(200)
  for (const row of rows()) {
    expect(row.leader).not.toBe(leaving)
    expectInSync(row, [0, 1, 2].filter(id => id !== leaving))
  }
  // Whoever leads was told before, and knows it as soon as messages travel.
  await cluster.until(() => rows().every(({ leader, leaderEpoch, partition }) =>
    cluster.broker(leader).agent.view.row(topicId, partition)?.leaderEpoch === leaderEpoch), 20)
})

test('graceful stop of the controller: leaderships move, then the office, without a pause', async () => {
  const { cluster, rows, controllerId } = await withTopic({ brokers: 3 })
  const leaving = controllerId()
  let stopped = false
  void cluster.broker(leaving).agent.stop().then(() => { stopped = true })
  expect(await cluster.until(() => stopped)).toBeLessThan(200)
  expect(rows().every(row => row.leader !== leaving)).toBe(true)
  const rest = cluster.live().filter(broker => broker.self.brokerId !== leaving)
  const tookMs = await cluster.until(() => cluster.controllers().length === 1 &&
    rest.every(({ agent }) => agent.isRegistered))
  expect(tookMs).toBeLessThan(250)
  cluster.broker(leaving).agent.close()
  cluster.kill(leaving)
  await cluster.settled()
})

test('a broker that stops is not waited for once its session ends, whatever its process still answers', async () => {
  const { cluster, others, rows } = await withTopic({ brokers: 3 })
  const leaving = others()[0]!
  const { agent } = cluster.broker(leaving)
  void agent.stop()
  agent.close()
  expect(await cluster.until(() => rows().every(row => row.leader !== leaving))).toBeLessThan(100)
})

test('every broker stops at once and the cluster starts again', async () => {
  const { cluster, topicId, healthy } = await withTopic({ brokers: 3 })
  let stopped = 0
  for (const { agent, process } of cluster.live()) {
    void agent.stop().then(() => {
      agent.close()
      process.kill()
      stopped += 1
    })
  }
  expect(await cluster.until(() => stopped === 3)).toBeLessThan(1_500)
  for (const id of [0, 1, 2]) cluster.boot(id)
  expect(await cluster.settled()).toBeLessThan(1_500)
  await cluster.until(() => cluster.agreesOn(topicId) && healthy())
})

test('preferred leaders return when they are in sync again, not before', async () => {
  const { cluster, topicId, others, rows } = await withTopic({ brokers: 3 })
  const preferred = leadersOf(rows())
  const [victim] = others()
  cluster.kill(victim!)
  await cluster.until(() => rows().every(row => row.leader !== victim && row.inSync.length === 2))
  cluster.boot(victim!)
  await cluster.settled()
  await cluster.pass(10_000)
  expect(rows().some(row => row.leader === victim)).toBe(false)
  await expanded(cluster, topicId)
  await cluster.until(() => leadersOf(rows()).join() === preferred.join(), 10_000)
})

test('a leader whose disk hangs, or that has no followers, loses its partitions once', async () => {
  const { cluster, topicId, others, rows } = await withTopic({ brokers: 3 })
  const [victim] = others()
  const led = rows().filter(row => row.leader === victim).map(row => row.partition)
  expect(led.length).toBe(2)
  cluster.broker(victim!).replicas.starvedKeys = [{ topicId, partition: led[0]! }]
  await cluster.until(() => rows()[led[0]!]?.leader !== victim, 1_000)
  expect(rows()[led[1]!]?.leader).toBe(victim)
  cluster.broker(victim!).volume.fsyncAgeMs = 2_500
  await cluster.until(() => rows().every(row => row.leader !== victim), 1_000)
  // Nothing waits for its acknowledgements, where it followed neither.
  await cluster.until(() => rows().every(row => row.inSync.every(member => member.brokerId !== victim)), 1_000)
  const epochs = rows().map(row => row.leaderEpoch)
  // Not back before 30 s, although it is preferred and well again.
  cluster.broker(victim!).volume.fsyncAgeMs = 0
  cluster.broker(victim!).replicas.starvedKeys = []
  await cluster.pass(1_000)
  await expanded(cluster, topicId)
  await cluster.pass(20_000)
  expect(rows().map(row => row.leaderEpoch)).toEqual(epochs)
  await cluster.until(() => rows().filter(row => row.leader === victim).length === 2)
})

test('a leader whose disk is full loses its partitions; when all are full they stay where they are', async () => {
  const { cluster, others, rows } = await withTopic({ brokers: 3 })
  const [victim] = others()
  cluster.broker(victim!).volume.full = true
  await cluster.until(() => rows().every(row => row.leader !== victim), 3_000)
  for (const brokerId of [0, 1, 2]) cluster.broker(brokerId).volume.full = true
  await cluster.pass(5_000)
  const epochs = rows().map(row => row.leaderEpoch)
  await cluster.pass(40_000)
  expect(rows().map(row => row.leaderEpoch)).toEqual(epochs)
})

test('a wiped volume is a dead member and a learner; it is dropped when enough others live', async () => {
  const { cluster, topicId, others, rows } = await withTopic({ brokers: 3 })
  const [victim] = others()
  const before = cluster.broker(victim!).self.volumeId
  cluster.kill(victim!)
  cluster.boot(victim!, { wiped: true })
  await cluster.settled()
  await cluster.until(() =>
    rows().every(row => row.leader !== victim && row.inSync.every(member => member.volumeId !== before)))
  for (const row of rows()) expectInSync(row, [0, 1, 2].filter(id => id !== victim))
  await cluster.until(() =>
    rows().every(row => cluster.broker(victim!).replicas.get(topicId, row.partition) !== undefined))
  await expanded(cluster, topicId)
})

test('at the floor the set stays whole, and no leader is made of a wiped member', async () => {
  const { cluster, others, rows, controllerId } = await withTopic({ brokers: 3 })
  const [first, second] = others()
  cluster.kill(first!)
  await cluster.until(() => rows().every(row => row.inSync.length === 2))
  cluster.kill(second!)
  await cluster.until(() =>
    cluster.office().controllerEpoch > 0 && rows().every(row => row.leader === controllerId()), 30_000)
  for (const row of rows()) expectInSync(row, [controllerId(), second!].sort())
  cluster.boot(second!, { wiped: true })
  await cluster.until(() => cluster.broker(second!).agent.isRegistered)
  await cluster.pass(1_000)
  for (const row of rows()) {
    expect(row.leader).toBe(controllerId())
    expect(row.inSync.length).toBe(2)
  }
})

test('two processes with one broker id: the first keeps it', async () => {
  const { cluster, others } = await withTopic({ brokers: 3 })
  const [id] = others()
  const first = cluster.broker(id!)
  // The same id from another host, on its own volume.
  const twin = cluster.boot(id!, { wiped: true, host: 'twin' })
  await cluster.pass(3_000)
  expect(twin.agent.isRegistered).toBe(false)
  expect(first.agent.isRegistered).toBe(true)
  expect(cluster.logs.lines.some(line => JSON.stringify(line.fields).includes('DUPLICATE_BROKER'))).toBe(true)
  first.process.kill()
  await cluster.until(() => twin.agent.isRegistered)
})

test('a copy of a volume that has moved on since is refused', async () => {
  const { cluster, others } = await withTopic({ brokers: 3 })
  const [id] = others()
  const { volume } = cluster.broker(id!)
  cluster.kill(id!)
  await cluster.until(() => cluster.tables().get('events-0')?.brokers.get(id!)?.fenced === true)
  const stale = cluster.boot(id!, { volume: { ...volume, bootCount: 0, replicas: new Map() } })
  await cluster.pass(2_000)
  expect(stale.agent.isRegistered).toBe(false)
  expect(cluster.logs.lines.some(line => JSON.stringify(line.fields).includes('VOLUME_ROLLED_BACK'))).toBe(true)
})

test('a broker cut off from everybody is fenced; it does not become a second controller that decides', async () => {
  const { cluster, topicId, controllerId, rows } = await withTopic({ brokers: 3 })
  const old = controllerId()
  cluster.isolate(old, true)
  // Cut off from brokers, not from the API.
  await cluster.until(() => cluster.controllers().some(broker => broker.self.brokerId !== old), 5_000)
  await cluster.until(() => cluster.broker(old).agent.office === undefined, 6_000)
  await cluster.until(() => rows().every(row => row.leader !== old), 6_000)
  cluster.isolate(old, false)
  await cluster.settled()
  expect(controllerId()).not.toBe(old)
  await cluster.until(() => cluster.agreesOn(topicId))
})

test('a broker cut off from the controller alone registers through a peer, and directly when it can again',
  async () => {
  const { cluster, topicId, controllerId, others } = await withTopic({ brokers: 3 })
  const controller = controllerId()
  const [cut] = others()
  cluster.isolate(cut!, true, [controller])
  await cluster.pass(2_500)
  await cluster.until(() => cluster.isSettled(), 5_000)
  expect(controllerId()).toBe(controller)
  // It stays registered, and learns what is decided.
  await cluster.pass(20_000)
  expect(cluster.isSettled()).toBe(true)
  await cluster.applyTopic({ name: 'orders', partitions: 7, replicas: 3 })
  await cluster.until(() => cluster.agreesOn(topicId))
  expect(cluster.broker(cut!).agent.counters.registrations).toBeLessThan(5)
  cluster.isolate(cut!, false, [controller])
  const registered = cluster.broker(cut!).agent.counters.registrations
  await cluster.until(() => cluster.broker(cut!).agent.counters.registrations === registered + 1)
  const root = cluster.tables().get('events-0')!.brokers.get(cut!)
  await cluster.pass(3_000)
  expect(cluster.tables().get('events-0')!.brokers.get(cut!)).toEqual(root)
})

test('a minority cut off from the rest, but not from the API, does not take the office', async () => {
  const { cluster, controllerId, rows } = await withTopic({ brokers: 5 })
  const controller = controllerId()
  const cut = [0, 1, 2, 3, 4].filter(id => id !== controller).slice(0, 2)
  const rest = [0, 1, 2, 3, 4].filter(id => !cut.includes(id))
  for (const id of cut) cluster.isolate(id, true, rest)
  await cluster.pass(8_000)
  expect(controllerId()).toBe(controller)
  expect(cluster.tables().get('events-0')?.controllerEpoch).toBe(1)
  expect(rows().every(row => rest.includes(row.leader))).toBe(true)
  for (const id of cut) cluster.isolate(id, false, rest)
  await cluster.settled()
  expect(controllerId()).toBe(controller)
})

test('silent peers agree in the end: one broker of three takes over when the others stay silent', async () => {
  const { cluster, controllerId, rows } = await withTopic({ brokers: 3 })
  const last = [0, 1, 2].find(id => id !== controllerId())!
  for (const { self, process } of cluster.live()) if (self.brokerId !== last) process.pause()
  await cluster.pass(9_000)
  expect(cluster.broker(last).agent.office).toBeUndefined()
  await cluster.until(() => rows().every(row => row.leader === last), 30_000)
  // Nothing can commit, and nothing can be lost: the set is whole.
  for (const row of rows()) expect(row.inSync.length).toBeGreaterThan(1)
  for (const { process } of cluster.live()) process.resume()
  await cluster.settled()
})

test('pushes of an old controller are dropped, those of the newest are taken', async () => {
  const cluster = new TestCluster({ brokers: 1 })
  const { agent, volume } = cluster.boot(0)
  volume.controllerEpoch = 5
  let session: Stream<SessionResponse> | undefined
  const process = cluster.scheduler.process('fake')
  const net = new SimNet(cluster.network, process, 'fake')
  await cluster.run(net.listen('fake:9091', {
    streams: {
      Session: stream => {
        session = stream
        stream.send({ registered: { controllerEpoch: 5, controller: 9 } })
        const acknowledge = (sequence: number): void => { stream.send({ heartbeatAck: { sequence } }) }
        return { message: ({ heartbeat }) => { acknowledge(heartbeat?.sequence ?? 0) }, close: () => {} }
      }
    }
  }))
  agent.announceController({ controllerEpoch: 6, controller: 9, controllerAddress: 'fake:9091' })
  await cluster.until(() => agent.isRegistered && agent.view.controller === 9)
  const push = (controllerEpoch: number, brokerId: number): void => {
    session?.send({ push: { controllerEpoch, full: true, brokers: [{ brokerId }] } })
  }
  push(4, 1)
  push(5, 2)
  await cluster.until(() => agent.view.loaded)
  expect(agent.view.brokers().map(broker => broker.brokerId)).toEqual([2])
})
