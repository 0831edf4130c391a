// Brokers' replicas of one partition, a table that the test writes, and everything between them in the
// test's hands.
import { PartitionHost } from '../../../broker/partition/host.ts'
import type { Replica } from '../../../broker/partition/replica.ts'
import { replicateServices } from '../../../broker/rpc/replicate.ts'
import { identityText, isNewerRow } from '../../../broker/row.ts'
import type { PartitionRow } from '../../../broker/row.ts'
import type { ChangeDone, ClusterView, ControllerLink, InSyncRequest } from '../../../broker/session/contract.ts'
import { decodeRecords } from '../../../wire/batch-reader.ts'
import { batches } from '../../../wire/record-batch.ts'
import type { BrokerInfo, ReplicaReport, SessionResponse_Push, TopicInfo } from '../../../wire/messages.ts'
import { valueBatch } from './batch.ts'
import type { ProducedAs } from './batch.ts'
import { MemoryDisk, MemoryVolume } from './memory-volume.ts'
import { Network } from './network.ts'
import type { TestNet } from './network.ts'
import { ProcessClock, TestRng, WorldTime } from './time.ts'

export const topicId = '00000000000000aa'
export const topic: TopicInfo = {
  topicId,
  name: 't',
  internal: false,
  partitions: 2,
  replicas: 3,
  minInSync: 2,
  retentionMs: 86_400_000,
  retentionBytes: 1 << 30,
  segmentBytes: 1 << 20,
  deleting: false,
  orphaned: false
}
export const ref = { topic: 't', topicId, partition: 0 }

class TestView implements ClusterView {
  controllerEpoch = 1
  controller = 0
  controllerAddress = ''
  loaded = false
  readonly #brokers = new Map<number, BrokerInfo>()
  readonly #rows = new Map<string, PartitionRow>()
  #gone = false

  broker (brokerId: number): BrokerInfo | undefined { return this.#brokers.get(brokerId) }
  brokers (): readonly BrokerInfo[] { return [...this.#brokers.values()] }
  topicByName (name: string): TopicInfo | undefined { return name === topic.name ? this.topicById(topicId) : undefined }
  topicById (id: string): TopicInfo | undefined {
    return this.loaded && !this.#gone && id === topicId ? topic : undefined
  }

  topics (): readonly TopicInfo[] { return [topic] }
  row (id: string, partition: number): PartitionRow | undefined { return this.#rows.get(`${id}-${partition}`) }
  rows (): readonly PartitionRow[] { return [...this.#rows.values()] }
  adoptRow (row: PartitionRow): void {
    const key = `${row.topicId}-${row.partition}`
    if (isNewerRow(row, this.#rows.get(key))) this.#rows.set(key, row)
  }

  take (push: SessionResponse_Push): void {
    this.loaded = true
    if (push.topicsRemoved.includes(topicId) || (push.full && push.topics.length === 0)) {
      this.#gone = true
      this.#rows.clear()
    }
    for (const broker of push.brokers) this.#brokers.set(broker.brokerId, broker)
    for (const row of push.rows) this.adoptRow(row)
  }
}

export interface Broker {
  readonly id: number
  disk: MemoryDisk
  /** Undefined while it is down. */
  process: BrokerProcess | undefined
}

export interface BrokerProcess {
  readonly volume: MemoryVolume
  readonly host: PartitionHost
  readonly clock: ProcessClock
  readonly net: TestNet
  readonly view: TestView
}

export interface Ask {
  readonly broker: number
  readonly request: InSyncRequest
  readonly done: ChangeDone
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

export class World {
  readonly time = new WorldTime()
  readonly network = new Network()
  readonly rng = new TestRng()
  readonly brokers: Broker[] = []
  readonly infos = new Map<number, BrokerInfo>()
  row: PartitionRow | undefined
  /** Rows of other partitions, which keep streams open. */
  beside: PartitionRow[] = []
  asks: Ask[] = []
  /** What happened since the last look. */
  events: string[] = []
  /** What producers were told since the last look; a value of several records has the offset of the first. */
  acknowledged: { readonly value: string, readonly offset: number }[] = []
  readonly cuts = new Set<string>()
  /** Stopped processes: nothing reaches them, nothing leaves them, no fsync returns. */
  readonly paused = new Set<number>()
  /** Of brokers started from now on. */
  learnerBytesPerSecond = 0
  /** Nobody's log begins above. */
  trimmedTo = 0
  #volumes = 0

  constructor (count: number) {
    for (let id = 0; id < count; id++) this.brokers.push({ id, disk: this.#newDisk(id), process: undefined })
  }

  #newDisk (id: number): MemoryDisk {
    return new MemoryDisk(`${id}`.repeat(15) + (this.#volumes++).toString(16))
  }

  identity (id: number): { brokerId: number, volumeId: string, replicaGen: number } {
    const { disk, process } = this.brokers[id]!
    const replicaGen = process?.volume.get(topicId, 0)?.replicaGen ?? disk.images.get(`${topicId}-0`)?.replicaGen ?? 0
    return { brokerId: id, volumeId: disk.volumeId, replicaGen }
  }

  async start (id: number): Promise<void> {
    const broker = this.brokers[id]!
    const clock = new ProcessClock(this.time)
    const volume = new MemoryVolume(broker.disk, id)
    const net = this.network.net(String(id))
    const view = new TestView()
    const link: ControllerLink = {
      self: {
        clusterName: 'c',
        clusterUid: 'c',
        brokerId: id,
        volumeId: broker.disk.volumeId,
        brokerEpoch: volume.meta.bootCount,
        incarnation: this.rng.hex(8),
        boots: [],
        clientAddress: `client-${id}`,
        peerAddress: String(id),
        rack: '',
        listeners: []
      },
      view,
      changeInSync: (request, done) => {
        const set = request.inSync.map(member => member.brokerId).join(',')
        this.events.push(`broker ${id} asks for in-sync ${set} from v${request.version}`)
        this.asks.push({ broker: id, request, done })
      },
      reportReplicas: reports => { for (const report of reports) this.#reported(id, report) }
    }
    const { learnerBytesPerSecond } = this
    const host = new PartitionHost({
      clock, rng: this.rng, net: net as never, log: silent, volume, link, learnerBytesPerSecond
    })
    await net.listen('', replicateServices(host))
    broker.process = { volume, host, clock, net, view }
    this.infos.set(id, {
      ...link.self,
      volumeId: broker.disk.volumeId,
      fenced: false,
      stopping: false,
      draining: false, listeners: [], maintenance: false
    })
    await host.start()
  }

  #reported (id: number, report: ReplicaReport): void {
    if (report.damaged !== '') this.events.push(`broker ${id} reports damage: ${report.damaged}`)
    if (report.removed) this.events.push(`broker ${id} reports removal`)
  }

  crash (id: number): void {
    const broker = this.brokers[id]!
    const { process } = broker
    if (process === undefined) return
    broker.process = undefined
    process.clock.dead = true
    process.net.crash()
    this.network.serve(String(id), undefined)
  }

  wipe (id: number): void {
    this.brokers[id]!.disk = this.#newDisk(id)
  }

  /** News to one broker. */
  push (id: number, change: Partial<SessionResponse_Push> = {}): void {
    const { process } = this.brokers[id]!
    if (process === undefined) return
    const push: SessionResponse_Push = {
      controllerEpoch: 1,
      full: change.rows === undefined,
      brokers: [...this.infos.values()],
      topics: [topic],
      rows: this.row === undefined ? [] : [this.row, ...this.beside],
      topicsRemoved: [],
      remove: [],
      more: false,
      ...change
    }
    process.view.take(structuredClone(push))
    process.host.apply(push)
  }

  replica (id: number): Replica | undefined {
    return this.brokers[id]!.process?.host.replica(topicId, 0)
  }

  append (id: number, value: string, producer?: ProducedAs): void {
    const { process } = this.brokers[id]!
    process!.host.append(ref, valueBatch(value, producer), (error, baseOffset, epoch) => {
      this.events.push(error === undefined
        ? `${value}: committed at ${baseOffset}`
        : `${value}: ${error.code}${error.code === 'NOT_LEADER' ? ` leader ${error.detail.leader}` : ''}`)
      void epoch
      if (error === undefined) this.acknowledged.push({ value, offset: baseOffset })
    })
  }

  /** Runs deferred callbacks and promises until none is left; no time passes, nothing is delivered. */
  async settle (): Promise<void> {
    do {
      this.time.runDeferred()
      await new Promise(resolve => { setImmediate(resolve) })
    } while (this.time.deferring)
  }

  /** Delivers and fsyncs everything that is not cut off until nothing is left to do. */
  async run (): Promise<void> {
    for (let busy = true; busy;) {
      await this.settle()
      busy = false
      for (const [link, queue] of this.network.links()) {
        const message = this.#isCut(link) ? undefined : queue.shift()
        message?.deliver()
        if (message !== undefined) busy = true
      }
      for (const { id, process } of this.brokers) {
        if (process?.volume.dirty !== true || this.paused.has(id)) continue
        process.volume.sync()
        busy = true
      }
    }
  }

  #isCut (link: string): boolean {
    return this.cuts.has(link) || link.split('>').some(id => this.paused.has(Number(id)))
  }

  async advance (ms: number): Promise<void> {
    const until = this.time.nowMs + ms
    while (this.time.runTimer(until)) await this.settle()
    await this.settle()
  }

  /** As run, while time passes. */
  async runFor (ms: number): Promise<void> {
    const until = this.time.nowMs + ms
    do await this.run()
    while (this.time.runTimer(until))
    await this.run()
  }

  records (id: number): { value: string, epoch: number, offset: number }[] {
    const log = this.brokers[id]!.process?.volume.get(topicId, 0)
    const found = []
    for (const { bytes } of log?.batches ?? []) {
      for (const header of batches(bytes)) {
        for (const record of decodeRecords(bytes, header)) {
          const value = new TextDecoder().decode(record.value!)
          found.push({ value, epoch: header.leaderEpoch, offset: header.baseOffset })
        }
      }
    }
    return found
  }

  describe (id: number): string {
    const replica = this.replica(id)
    if (this.brokers[id]!.process === undefined) return `broker ${id}: down`
    if (replica === undefined) return `broker ${id}: no replica`
    const { log, state, leader, follower } = replica
    const role = replica.damaged !== '' ? 'damaged'
      : leader !== undefined ? `leads e${leader.epoch}${leader.ready ? '' : ' (starting)'}`
        : follower !== undefined ? `follows ${follower.leader} in e${follower.epoch}` : 'idle'
    const epochs = log.epochs.map(entry => `e${entry.epoch}@${entry.startOffset}`).join(' ')
    const records = this.records(id).map(record => `${record.value}(e${record.epoch})`).join(' ')
    return `broker ${id}: ${role}, [${log.logStart}, ${log.logEnd}) durable ${log.durableEnd} ` +
      `hw ${state.highWatermark}, epochs ${epochs}: ${records}`.trimEnd()
  }

  describeRow (): string {
    const row = this.row!
    const members = row.inSync.map(member => member.brokerId).join(',')
    return `row e${row.leaderEpoch} v${row.version} leader ${row.leader} in-sync ${members}`
  }

  memberText (id: number): string { return identityText(this.identity(id)) }
}
