// A broker's machine and volume, and the process that runs there now, if any. What a process leaves
// behind is on its SimDisk alone.
import { BrokerNode } from '../../broker/node.ts'
import { DiskError } from '../../broker/io/ports.ts'
import { WireError } from '../../wire/errors.ts'
import type { Clock } from '../../wire/ports.ts'
import { clientPort, peerPort } from './addresses.ts'
import { flipBit } from './bit-rot.ts'
import type { Image } from './disk-image.ts'
import { SimDisk } from './disk.ts'
import type { DiskOperation } from './disk.ts'
import { SimFailure } from './failure.ts'
import { SimKube } from './kube.ts'
import type { SimCluster } from './cluster.ts'
import { SimNet } from './net.ts'
import type { SimRng } from './rng.ts'
import type { SimProcess } from './scheduler.ts'

const MiB = 1024 * 1024
/** More than any run writes. */
const capacityBytes = 2 ** 40
/** Free space above the reserve, when a disk becomes full: the most that is written before the broker looks again. */
const leftBytesMax = 2 * MiB

/** Small files, so that rolls, checkpoints and cold reads happen within a short run. */
const volumeSettings = {
  journalFileBytes: 256 * 1024,
  journalFirstFileBytes: 64 * 1024,
  checkpointBytes: 128 * 1024,
  checkpointMs: 5_000,
  writeBehindBytes: 32 * 1024,
  ringBytesMax: 256 * 1024,
  reserveBytes: MiB
}

/** How a process may end. kill: SIGKILL, the machine lives. power: the machine goes dark with it. */
export type Ending = 'kill' | 'power'

export class SimBroker {
  readonly id: number
  /** Its machine, and what DNS calls it: links go by this. */
  readonly host: string
  readonly rack: string
  /** Where its process listens, without the port; empty before the first one starts. */
  address = ''
  readonly #cluster: SimCluster
  readonly #rng: SimRng
  #disk: SimDisk
  #process: SimProcess | undefined
  #node: BrokerNode | undefined
  #incarnations = 0
  #stopping = false
  #volumeIdLast = ''
  /** Mean time of an fsync; a slow disk is one of the faults. */
  syncMs = 1
  /** So often an fsync hangs for up to a second. */
  syncStallChance = 0
  /** Somebody has ended it and will start it. */
  held = false
  /** The volume must not be served any more, as the broker has said. */
  volumeFailed = false
  /** Harm was done to the disk: that it fails, or holds less than it acknowledged, is not a bug. */
  diskMayFail = false
  /** Nothing can be written for ever: a person has to replace it. */
  failing = false
  /** The id of the volume that was taken back to an older copy; it must not be served under this id. */
  rolledBack = ''
  /** The cluster has one broker fewer: this one never starts again. */
  removed = false
  /** Ids of its volumes that are gone for good. */
  readonly volumesLost = new Set<string>()
  /** Whose volume is in this pod, when it is not its own. */
  guest: SimBroker | undefined

  constructor (cluster: SimCluster, id: number) {
    this.id = id
    this.host = `b${id}`
    this.rack = `zone-${id % 3}`
    this.#cluster = cluster
    this.#rng = cluster.scheduler.rng.fork(`disk/${id}`)
    this.#disk = this.#freshDisk()
  }

  get node (): BrokerNode | undefined { return this.#node }
  get process (): SimProcess | undefined { return this.#process }
  get disk (): SimDisk { return this.#disk }
  get running (): boolean { return this.#process !== undefined }
  get paused (): boolean { return this.#process?.paused === true }
  get stopping (): boolean { return this.#stopping }
  /** How often a process was started here. */
  get incarnations (): number { return this.#incarnations }

  #freshDisk (): SimDisk {
    // The disk outlives processes, their clocks do not: it goes by the clock of whichever lives now.
    const clock: Clock = {
      now: () => this.#process!.clock.now(),
      wallTime: () => this.#process!.clock.wallTime(),
      setTimer: (afterMs, callback) => this.#process?.clock.setTimer(afterMs, callback) ?? { cancel: () => {} },
      defer: (callback) => { this.#process?.clock.defer(callback) }
    }
    return new SimDisk({ rng: this.#rng, clock, latencyMs: (operation, bytes) => this.#latencyMs(operation, bytes) })
  }

  #latencyMs (operation: DiskOperation, bytes: number): number {
    const stall = operation === 'sync' && this.syncStallChance > 0 && this.#rng.chance(this.syncStallChance)
    const mean = operation === 'sync' ? this.syncMs : 0.05 + bytes / (500 * 1024)
    return 0.02 + this.#rng.exponential(mean) + (stall ? this.#rng.fraction() * 1_000 : 0)
  }

  start (): void {
    if (this.running || this.removed) return
    const { addresses, scheduler, network, kube, book } = this.#cluster
    addresses.settle(this)
    network.powerOn(this.host, this.address)
    const process = this.#process = scheduler.process(`b${this.id}.${++this.#incarnations}`)
    this.#stopping = false
    const log = book.logOf(process)
    const ports = {
      clock: process.clock,
      rng: scheduler.rng.fork(`process/${process.name}`),
      net: new SimNet(network, process, this.host, this.address),
      disk: this.#disk,
      kube: new SimKube(kube, process, this.host),
      log
    }
    const config = {
      cluster: this.#cluster.name, clusterUid: this.#cluster.uid, brokerId: this.id, rack: this.rack,
      brokersExpected: this.#cluster.brokersExpected,
      listenClient: `${this.address}:${clientPort}`, listenPeer: `${this.address}:${peerPort}`,
      advertiseClient: '', advertisePeer: '', volumeSettings, ...this.#cluster.learnerSettings
    }
    const node = this.#node = new BrokerNode(ports, config, (error) => { this.#fatal(process, error) })
    process.schedule(0, 'start', () => {
      node.start().catch((error: unknown) => { this.#fatal(process, error) })
    })
  }

  /** The process ends itself because of `error`; Kubernetes starts it again. */
  #fatal (process: SimProcess, error: unknown): void {
    if (process.dead) return
    const expected = error instanceof WireError || (error instanceof DiskError && this.diskMayFail)
    if (!expected) throw SimFailure.from('fatal error', process.name, error)
    this.#cluster.book.logOf(process).error({ error }, 'the process ends itself')
    if (error instanceof WireError && error.code === 'VOLUME_FAILED') {
      if (!this.diskMayFail) throw SimFailure.from('fatal error', process.name, error)
      this.volumeFailed = true
    }
    this.#cluster.scheduler.schedule(0, undefined, 'exit', () => { if (!process.dead) this.end('kill') })
  }

  end (ending: Ending): void {
    const process = this.#process
    if (process === undefined) return
    if (ending === 'power') this.#cluster.network.powerOff(this.host)
    this.#cluster.observer?.beforeDeath(this)
    this.#volumeIdLast = this.#node?.parts?.volume.meta.volumeId ?? this.#volumeIdLast
    process.kill()
    this.#disk = ending === 'power' ? this.#disk.crash() : this.#disk.kill()
    this.#process = undefined
    this.#node = undefined
    this.#stopping = false
  }

  /** SIGTERM. The process exits when the node has stopped, or is killed at the end of the grace period. */
  stop (graceMs = 30_000): void {
    const { scheduler } = this.#cluster
    const process = this.#process
    const node = this.#node
    if (process === undefined || node === undefined || this.#stopping) return
    this.#stopping = true
    const exit = (): void => {
      scheduler.schedule(0, undefined, 'exit', () => { if (this.#process === process) this.end('kill') })
    }
    process.schedule(0, 'SIGTERM', () => {
      node.stop().then(exit, (error: unknown) => { throw SimFailure.from('failed to stop', process.name, error) })
    })
    scheduler.schedule(graceMs, undefined, 'SIGKILL', exit)
  }

  pause (): void {
    this.#process?.pause()
    this.#cluster.network.review()
  }

  resume (): void {
    this.#process?.resume()
    this.#cluster.network.review()
  }

  /** The id of the volume when a process last had it open. */
  get volumeIdLast (): string { return this.#volumeIdLast }

  /** From some operation on nothing can be made durable. */
  failWrites (): void {
    this.diskMayFail = true
    this.failing = true
    this.#disk.fail(this.#rng.pick(['sync', 'write']), 'io', { after: this.#rng.integer(50), forever: true })
  }

  /** From some operation on nothing can be read, in all files or in those of one kind. */
  failReads (): void {
    this.diskMayFail = true
    const path = this.#rng.pick(['', 'topics/', 'topics/', 'journal/'])
    this.#disk.fail('read', 'io', { path, after: this.#rng.integer(20), forever: true })
  }

  /** What could not be read can be again. */
  healDisk (): void {
    if (this.failing) return
    this.#disk.heal()
    this.volumeFailed = false
  }

  /** The broker itself has marked its volume as failed: nobody may serve it any more. */
  get isMarkedFailed (): boolean { return this.#disk.files().includes('failed.json') }

  /** Silent damage at rest, one bit in each of up to `count` files below a folder; answers in how many. */
  flipBits (count: number, folder = ''): number {
    let flipped = 0
    for (const path of this.#rng.shuffle(this.#disk.files().filter(each => each.startsWith(folder)))) {
      if (flipped === count || !flipBit(this.#disk, path, this.#rng)) continue
      flipped++
      this.diskMayFail = true
    }
    return flipped
  }

  /** As a snapshot of the storage: what is durable now. */
  copyVolume (): Image { return this.#disk.copy() }

  /** The copy takes the volume's place. Only while nothing runs. */
  rollBack (copy: Image, volumeId: string): void {
    this.#mustRest()
    this.#disk.become(copy)
    this.rolledBack = volumeId
    this.diskMayFail = true
  }

  /** Each gets the other's volume, or its own back. Only while nothing runs. */
  swapVolumes (other: SimBroker): void {
    this.#mustRest()
    other.#mustRest()
    this.#disk.exchange(other.#disk)
    const isBack = this.guest === other
    this.guest = isBack ? undefined : other
    other.guest = isBack ? undefined : this
  }

  #mustRest (): void {
    if (this.running) throw new Error('a volume is changed while its process lives')
  }

  /**
   * Somebody else takes the space, up to a little more than the reserve: no less than the broker writes before it can
   * see that, which is more where records are large.
   */
  fillDisk (areRecordsLarge: boolean): void {
    const used = this.#disk.files().reduce((sum, path) => sum + this.#disk.contents(path).length, 0)
    const left = this.#rng.pick([leftBytesMax / 8, leftBytesMax])
    this.#disk.setCapacity(used + volumeSettings.reserveBytes + (areRecordsLarge ? leftBytesMax : left))
  }

  emptyDisk (): void { this.#disk.setCapacity(capacityBytes) }

  /** An empty volume under the same broker id: a lost disk. Only while nothing runs. */
  wipe (): void {
    this.#mustRest()
    this.volumesLost.add(this.#volumeIdLast)
    this.#disk = this.#freshDisk()
    this.volumeFailed = false
    this.diskMayFail = false
    this.failing = false
    this.rolledBack = ''
  }
}
