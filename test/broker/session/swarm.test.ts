// Everything that goes wrong at random, then a while of peace: every write kept the rules, nobody led in
// an epoch twice, and in the end all is well again.
import { expect, test } from 'vitest'
import { assert } from '../../../broker/assert.ts'
import { tableKind } from '../../../broker/controller/table-codec.ts'
import { SimRng } from '../../sim/rng.ts'
import { TestCluster } from './cluster.ts'

const seeds = Number(process.env['SEEDS'] ?? 8)
const first = Number(process.env['SEED'] ?? 1)
const stormMs = 30_000

/** Who led in which epoch: one process at most. */
class Leaders {
  readonly #cluster: TestCluster
  readonly #byEpoch = new Map<string, string>()

  constructor (cluster: TestCluster) { this.#cluster = cluster }

  look (): void {
    for (const { self, volume, replicas } of this.#cluster.live()) {
      for (const { topicId, partition, row } of volume.replicas.values()) {
        if (row === undefined || !replicas.leads(topicId, partition)) continue
        const key = `${topicId}-${partition} epoch ${row.leaderEpoch}`
        const leader = this.#byEpoch.get(key) ?? self.incarnation
        this.#byEpoch.set(key, leader)
        assert(leader === self.incarnation, `two processes led ${key}`)
      }
    }
  }
}

async function storm (cluster: TestCluster, rng: SimRng, brokers: number): Promise<void> {
  const end = cluster.scheduler.now + stormMs
  const leaders = new Leaders(cluster)
  // Two destroyed disks are more than a floor of two bears.
  const lossy = rng.integer(brokers)
  while (cluster.scheduler.now < end) {
    const id = rng.integer(brokers)
    const broker = cluster.broker(id)
    switch (rng.integer(11)) {
      case 0:
      case 1:
        if (broker.process.dead) cluster.boot(id, { wiped: id === lossy && rng.chance(0.3) })
        else broker.process.kill()
        break
      case 2:
        if (broker.process.paused) broker.process.resume()
        else broker.process.pause()
        break
      case 3:
        cluster.isolate(id, rng.chance(0.5), rng.chance(0.5) ? undefined : [rng.integer(brokers)])
        break
      case 4:
        for (const host of [`b${id}`]) {
          const cut = rng.chance(0.3)
          cluster.network.link(host, 'kube').setCut(cut)
          cluster.network.link('kube', host).setCut(cut)
        }
        break
      case 5:
        cluster.kube.conditions.state = rng.pick(['up', 'up', 'up', 'down', 'silent'])
        break
      case 6:
        cluster.kube.conditions.faultChance = rng.pick([0, 0.1, 0.5])
        cluster.kube.conditions.delayMs = rng.pick([2, 2, 50, 300])
        break
      case 7:
        if (!broker.process.dead && !broker.process.paused) {
          void broker.agent.stop().then(() => {
            broker.agent.close()
            broker.process.kill()
          })
        }
        break
      case 8:
        touch(cluster, rng)
        break
      default:
    }
    const step = rng.exponential(rng.pick([5, 50, 500, 2_000]))
    for (let passed = 0; passed < step; passed += 10) {
      await cluster.pass(Math.min(10, step))
      leaders.look()
    }
  }
}

/** A person with kubectl: deletes the Lease, or labels a table. */
function touch (cluster: TestCluster, rng: SimRng): void {
  const { store } = cluster.kube
  if (rng.chance(0.5)) {
    store.erase({ apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }, 'events-controller', 'kubectl')
    return
  }
  const root = store.get(tableKind, 'events-0')
  if (root === undefined) return
  const { metadata } = root
  cluster.checked = false
  const labels = { ...metadata.labels, touched: String(rng.integer(100)) }
  store.replace(tableKind, { ...root, metadata: { ...metadata, labels } }, 'kubectl')
  cluster.checked = true
}

function heal (cluster: TestCluster, brokers: number): void {
  cluster.network.healAll()
  cluster.kube.conditions.state = 'up'
  cluster.kube.conditions.faultChance = 0
  cluster.kube.conditions.delayMs = 2
  for (let id = 0; id < brokers; id++) {
    const { process } = cluster.broker(id)
    if (process.dead) cluster.boot(id)
    else process.resume()
  }
}

async function runSeed (seed: number): Promise<void> {
  const brokers = seed % 3 === 0 ? 5 : 3
  const rng = new SimRng(seed, 'storm')
  const cluster = TestCluster.start({ brokers, seed })
  await cluster.settled()
  cluster.replicate()
  const topicId = await cluster.applyTopic({ name: 'orders', partitions: 4 })
  await storm(cluster, rng, brokers)
  heal(cluster, brokers)
  // A broker that was asked to stop during the storm ends by itself: it is started again.
  const revive = (): boolean => {
    for (const [id, { process }] of cluster.brokers) if (process.dead) cluster.boot(id)
    return true
  }
  await cluster.until(() => revive() && cluster.live().length === brokers && cluster.isSettled(), 60_000)
  const isWell = (): boolean => revive() && cluster.agreesOn(topicId) && cluster.rows(topicId).every(row =>
    row.leader >= 0 && cluster.broker(row.leader).replicas.leads(topicId, row.partition) && row.inSync.length === 3)
  await cluster.until(isWell, 30_000).catch((error: unknown) => {
    const lines = cluster.rows(topicId).map(row => JSON.stringify(row))
    throw new Error(`these rows did not get well:\n${lines.join('\n')}`, { cause: error })
  })
}

test.each(Array.from({ length: seeds }, (_, index) => first + index))('storm of seed %i', async (seed) => {
  await runSeed(seed)
  expect.assertions(0)
}, 60_000)
