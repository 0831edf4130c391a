// Brokers without data: real agents and controllers on simulated time, network and Kubernetes API.
import { expect } from 'vitest'
import { adminServices } from '../../../broker/rpc/admin.ts'
import { sessionServices } from '../../../broker/rpc/session.ts'
import type { SessionAgent } from '../../../broker/session/agent.ts'
import { SessionAgent as Agent } from '../../../broker/session/agent.ts'
import type { Self } from '../../../broker/session/contract.ts'
import type { Controller } from '../../../broker/controller/controller.ts'
import { decodeTable, tableKind } from '../../../broker/controller/table-codec.ts'
import type { Table } from '../../../broker/controller/table.ts'
import type { ApplyTopicRequest, PartitionRow } from '../../../wire/messages.ts'
import { KubeServer, SimKube } from '../../sim/kube.ts'
import { LogBook } from '../../sim/log.ts'
import { SimNet } from '../../sim/net.ts'
import { SimNetwork } from '../../sim/network.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import type { SimProcess } from '../../sim/scheduler.ts'
import { checkTableWrite } from './table-rules.ts'
import { FakeReplicas } from './fake-replicas.ts'
import type { FakeVolume } from './fake-replicas.ts'

export interface Broker {
  readonly self: Self
  readonly process: SimProcess
  readonly agent: SessionAgent
  readonly replicas: FakeReplicas
  readonly volume: FakeVolume
}

const peerPort = 9091

export class TestCluster {
  readonly rng: SimRng
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly kube: KubeServer
  readonly logs = new LogBook()
  readonly brokersExpected: number
  /** Messages of errors that leaders got. */
  readonly refusals: string[] = []
  readonly brokers = new Map<number, Broker>()
  /** Rules that hold for every write but those of a restore. */
  checked = true
  #replicating = false
  readonly #volumes = new Map<number, FakeVolume>()

  constructor (options: { seed?: number, brokers: number }) {
    this.rng = new SimRng(options.seed ?? 1)
    this.scheduler = new Scheduler(this.rng)
    this.network = new SimNetwork(this.scheduler)
    this.kube = new KubeServer(this.network)
    this.brokersExpected = options.brokers
    this.kube.store.onWrite = ({ before, after }) => {
      if (this.checked) checkTableWrite(before, after)
    }
    if (process.env['SHOW_LOG'] !== undefined) {
      this.logs.onLine = line => {
        console.log(line.atMs.toFixed(1), line.who, line.level, line.message, JSON.stringify(line.fields))
      }
    }
  }

  /** Starts all brokers at once. */
  static start (options: { seed?: number, brokers: number }): TestCluster {
    const cluster = new TestCluster(options)
    for (let id = 0; id < options.brokers; id++) cluster.boot(id)
    return cluster
  }

  /** What its disk holds. */
  volume (brokerId: number): FakeVolume { return this.#volumes.get(brokerId)! }

  /** Starts a broker's process, again after a crash; with `wiped` on an empty volume. */
  boot (brokerId: number, options: { wiped?: boolean, volume?: FakeVolume, host?: string } = {}): Broker {
    let volume = options.volume ?? this.#volumes.get(brokerId)
    if (volume === undefined || options.wiped === true) {
      volume = { volumeId: this.rng.hex(8), bootCount: 0, controllerEpoch: 0, fsyncAgeMs: 0, replicas: new Map() }
    }
    volume.bootCount += 1
    this.#volumes.set(brokerId, volume)
    const host = options.host ?? `b${brokerId}`
    const process = this.scheduler.process(host)
    const net = new SimNet(this.network, process, host)
    net.identify('cluster-uid')
    const self: Self = {
      clusterName: 'events',
      clusterUid: 'cluster-uid',
      brokerId,
      volumeId: volume.volumeId,
      brokerEpoch: volume.bootCount,
      incarnation: this.rng.hex(8),
      boots: [],
      clientAddress: `${host}:9090`,
      peerAddress: `${host}:${peerPort}`,
      rack: '',
      listeners: []
    }
    const held = volume
    const agent = new Agent({
      clock: process.clock,
      rng: this.rng.fork(`${host}/${volume.bootCount}`),
      net,
      kube: new SimKube(this.kube, process, host),
      log: this.logs.logOf(process),
      volume: {
        get controllerEpoch () { return held.controllerEpoch },
        setControllerEpoch: epoch => { held.controllerEpoch = epoch },
        fsyncAgeMs: () => held.fsyncAgeMs,
        get full () { return held.full === true },
        lowMs: () => held.lowMs ?? 0,
        renewVolumeId: () => {
          held.volumeId = this.rng.hex(8)
          return Promise.resolve()
        }
      },
      renewed: () => { process.kill() },
      self,
      settings: { brokersExpected: this.brokersExpected }
    })
    const replicas = new FakeReplicas(self, volume, agent)
    agent.attach(replicas)
    this.#teach(replicas)
    const broker = { self, process, agent, replicas, volume }
    this.brokers.set(brokerId, broker)
    process.schedule(0, 'boot', () => {
      replicas.play(process.clock)
      const session = sessionServices(agent)
      const admin = adminServices(agent)
      void net.listen(`${host}:${peerPort}`, {
        streams: { ...session.streams }, unary: { ...session.unary, ...admin.unary }
      }, { clusters: ['ns/events', 'cluster-uid'] })
        .then(() => { agent.start() })
    })
    return broker
  }

  broker (brokerId: number): Broker {
    const broker = this.brokers.get(brokerId)
    if (broker === undefined) throw new Error(`no broker ${brokerId}`)
    return broker
  }

  kill (brokerId: number): void {
    this.broker(brokerId).process.kill()
  }

  /** From now on leaders take in whoever of their followers lives and knows their epoch. */
  replicate (): void {
    this.#replicating = true
    for (const { replicas } of this.brokers.values()) this.#teach(replicas)
  }

  #teach (replicas: FakeReplicas): void {
    if (!this.#replicating) return
    replicas.learners = (brokerId, topicId, partition) => {
      const broker = this.brokers.get(brokerId)
      const replica = broker?.replicas.get(topicId, partition)
      if (broker === undefined || broker.process.dead || replica?.row === undefined) return undefined
      const { volumeId, brokerEpoch } = broker.self
      const identity = { brokerId, volumeId, replicaGen: replica.replicaGen }
      return { identity, brokerEpoch, leaderEpoch: replica.row.leaderEpoch }
    }
  }

  /** Cuts or joins a broker and others, all unless named, both ways. */
  isolate (brokerId: number, cut: boolean, others = [...this.brokers.keys()]): void {
    for (const other of others) {
      if (other === brokerId) continue
      this.network.link(`b${brokerId}`, `b${other}`).setCut(cut)
      this.network.link(`b${other}`, `b${brokerId}`).setCut(cut)
    }
  }

  /** What others send to a broker is lost, or arrives again. */
  deafen (brokerId: number, cut: boolean): void {
    for (const other of this.brokers.keys()) {
      if (other !== brokerId) this.network.link(`b${other}`, `b${brokerId}`).setCut(cut)
    }
  }

  async pass (ms: number): Promise<void> {
    await this.scheduler.run(this.scheduler.now + ms)
    if (this.scheduler.failure !== undefined) throw this.scheduler.failure
  }

  /** Runs until `condition` holds; answers how many milliseconds of virtual time that took. */
  async until (condition: () => boolean, withinMs = 20_000): Promise<number> {
    const began = this.scheduler.now
    // One event at least has to come, for promises that are about to settle.
    this.scheduler.schedule(0, undefined, 'look', () => {})
    const met = await this.scheduler.run(began + withinMs, condition)
    if (this.scheduler.failure !== undefined) throw this.scheduler.failure
    if (!met) {
      const tail = this.logs.lines.slice(-30)
        .map(line => `${line.atMs.toFixed(0)} ${line.who} ${line.message} ${JSON.stringify(line.fields)}`)
      throw new Error(`did not happen within ${withinMs} ms of virtual time: ${String(condition)}\n` +
        `${tail.join('\n')}\n${this.refusals.join('\n')}`)
    }
    return this.scheduler.now - began
  }

  /** For conditions that take long to look at: looks every 100 ms of virtual time. */
  async untilSlow (condition: () => boolean, withinMs = 20_000): Promise<void> {
    for (let passed = 0; passed < withinMs; passed += 100) {
      if (condition()) return
      await this.pass(100)
    }
    await this.until(condition, 1)
  }

  async run<T> (promise: Promise<T>, withinMs = 20_000): Promise<T> {
    let settled = false
    promise.then(() => { settled = true }, () => { settled = true })
    await this.until(() => settled, withinMs)
    return await promise
  }

  live (): Broker[] {
    return [...this.brokers.values()].filter(broker => !broker.process.dead)
  }

  /** Those in office; two for a while is possible. */
  controllers (): Broker[] {
    return this.live().filter(broker => broker.agent.office !== undefined)
  }

  office (): Controller {
    const [broker] = this.controllers()
    if (broker?.agent.office === undefined) throw new Error('no controller')
    return broker.agent.office as Controller
  }

  /** All live brokers are registered with one controller and know all others as unfenced. */
  isSettled (brokers = this.live()): boolean {
    return this.controllers().length === 1 && brokers.every(({ agent }) => agent.isRegistered && agent.view.loaded &&
      brokers.every(other => {
        const info = agent.view.broker(other.self.brokerId)
        return info?.fenced === false && info.incarnation === other.self.incarnation
      }))
  }

  async settled (withinMs?: number): Promise<number> {
    return await this.until(() => this.isSettled(), withinMs)
  }

  async applyTopic (request: Partial<ApplyTopicRequest> & { name: string }): Promise<string> {
    const full: ApplyTopicRequest = {
      partitions: 6, replicas: 3, minInSync: 0, retentionMs: 0, retentionBytes: 0, segmentBytes: 0,
      ownerUid: `uid-${request.name}`, ...request
    }
    const answer = await this.run(this.office().applyTopic(full))
    const topicId = answer.topic?.topic?.topicId
    if (topicId === undefined) throw new Error('applied without a topic')
    return topicId
  }

  tables (): Map<string, Table> {
    const objects = this.kube.store.list(tableKind, { 'millrace.dev/cluster': 'events' })
    return new Map(objects.map(object => [object.metadata.name, decodeTable(object)]))
  }

  /** As stored. */
  rows (topicId: string): readonly PartitionRow[] {
    for (const table of this.tables().values()) {
      const rows = table.rows.get(topicId)
      if (rows !== undefined) return rows
    }
    return []
  }

  /** Every live broker knows the stored rows. */
  agreesOn (topicId: string): boolean {
    const rows = this.rows(topicId)
    return rows.length > 0 && this.live().every(({ agent }) => {
      const known = agent.view.rows(topicId)
      return known.length === rows.length && known.every((row, index) =>
        row.version === rows[index]?.version && row.leaderEpoch === rows[index].leaderEpoch)
    })
  }
}

/** The ids of leaders, in order of partition. */
export function leadersOf (rows: readonly PartitionRow[]): number[] {
  return rows.map(row => row.leader)
}

export function expectInSync (row: PartitionRow | undefined, brokerIds: number[]): void {
  expect(row?.inSync.map(member => member.brokerId).sort()).toEqual(brokerIds)
}
