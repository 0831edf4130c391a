// A broker's disk: opens it, hands out the logs, runs what happens behind them.
import { assert } from '../assert.ts'
import type { Clock, Rng } from '../../wire/ports.ts'
import { WireError } from '../../wire/errors.ts'
import type { LatencyHistogram } from '../histogram.ts'
import type { Disk, DiskSpace } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import { Checkpointer } from './checkpointer.ts'
import { ColdReader } from './cold-reader.ts'
import type { Volume, VolumeCounter, VolumeMeta } from './contract.ts'
import { Deleter } from './deleter.ts'
import { FreeSpace } from './free-space.ts'
import { FrameBuilder } from './frame.ts'
import { Journal } from './journal.ts'
import { JournalFiles } from './journal-files.ts'
import { damagedFolder, folderNameOf, strayFolder } from './log-files.ts'
import { LogState } from './log-state.ts'
import { leaveMarker, writeMeta } from './meta.ts'
import { recover } from './recovery.ts'
import type { Recovered } from './recovery.ts'
import { ReplicaLogImpl } from './replica-log.ts'
import type { LogHost } from './replica-log.ts'
import { nameText } from './replica-table.ts'
import { retainedStart } from './retention.ts'
import { deletedSuffix } from './segment.ts'
import { SegmentWriter } from './segment-writer.ts'
import { defaultSettings } from './settings.ts'
import type { VolumeSettings } from './settings.ts'
import { Ring } from './tail.ts'

export interface VolumeOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly rng: Rng
  readonly clusterUid: string
  readonly brokerId: number
  /** Called once: a write or an fsync failed, nothing is durable from now on. Close the volume and stop. */
  readonly onFailure: (error: WireError) => void
  /** What recovery found, in words. */
  readonly onNote?: (note: string) => void
  readonly settings?: Partial<VolumeSettings>
}

/**
 * Opens the volume of a broker, recovers it, or makes it on an empty disk.
 * @throws WireError WRONG_CLUSTER, VOLUME_VERSION, VOLUME_FAILED; DISK_FULL when it takes more space than there is.
 */
export async function openVolume (options: VolumeOptions): Promise<Volume> {
  const settings = { ...defaultSettings, ...options.settings }
  try {
    const recovered = await recover({ ...options, settings })
    for (const note of recovered.notes) options.onNote?.(note)
    // A broker that starts on a full disk must know it before it takes anything in.
    return new VolumeImpl(options, settings, recovered, await options.disk.space())
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    // Nothing is lost with the space: who replaced such a volume would lose what it holds.
    const code = error.kind === 'no-space' ? 'DISK_FULL' : 'VOLUME_FAILED'
    throw new WireError(code, `the volume cannot be opened: ${error.message}`, {}, { cause: error })
  }
}

class VolumeImpl implements Volume, LogHost {
  readonly #options: VolumeOptions
  readonly #settings: VolumeSettings
  readonly #recovered: Recovered
  #meta: VolumeMeta
  readonly clock: Clock
  readonly ring: Ring
  readonly segmentAgeMsMax: number
  readonly #logs = new Map<string, ReplicaLogImpl>()
  readonly #marks = new Set<ReplicaLogImpl>()
  readonly #journalFiles: JournalFiles
  readonly #journal: Journal
  readonly #writer: SegmentWriter
  readonly #cold: ColdReader
  readonly #checkpointer: Checkpointer
  readonly #deleter: Deleter
  /** Where entries go after a failure: nowhere. */
  readonly #nowhere = new FrameBuilder()
  readonly #durableWaits = new Set<(error: Error) => void>()
  #failure: WireError | undefined
  #marker: Promise<void> = Promise.resolve()
  #closed = false
  readonly #free: FreeSpace
  #departures = 0
  #checkpointAt: number
  #purgeAt = 0
  #maintaining: Promise<void> | undefined

  constructor (options: VolumeOptions, settings: VolumeSettings, recovered: Recovered, space: DiskSpace) {
    const { disk, clock } = options
    const { files, indexes, table, journal } = recovered
    this.#options = options
    this.#settings = settings
    this.#recovered = recovered
    this.#meta = recovered.meta
    this.#free = new FreeSpace(settings, space, () => this.#usedBytes())
    this.clock = clock
    this.ring = new Ring(settings.ringBytesMax)
    this.segmentAgeMsMax = settings.segmentAgeMsMax
    this.#checkpointAt = clock.now() + settings.checkpointMs
    const onFailure = (error: unknown): void => { this.#fail(error) }
    this.#journalFiles = new JournalFiles({ disk, settings, onFailure, ...journal })
    this.#journal = new Journal({
      clock,
      settings,
      files: this.#journalFiles,
      uid: Buffer.from(journal.uid, 'hex'),
      sequence: journal.sequence,
      hooks: {
        closing: frame => { this.#addMarks(frame) },
        durable: frame => { this.#frameDurable(frame) },
        failed: onFailure
      }
    })
    this.#deleter = new Deleter(disk, onFailure)
    this.#writer = new SegmentWriter({
      disk,
      files,
      indexes,
      settings,
      onFailure,
      durableSequence: () => this.#journal.durableSequence,
      onFull: () => { this.#free.refused() },
      onDeleted: path => { this.#deleter.add([{ path, folder: false }]) }
    })
    this.#cold = new ColdReader(files, indexes, settings)
    this.#checkpointer = new Checkpointer({
      disk,
      uid: journal.uid,
      journal: this.#journal,
      journalFiles: this.#journalFiles,
      writer: this.#writer,
      table,
      logs: () => this.#logs.values(),
      durable: () => this.#durable()
    })
    for (const [name, state] of table.logs) this.#logs.set(name, new ReplicaLogImpl(state, this))
    this.#deleter.add(recovered.deleted)
  }

  get meta (): VolumeMeta { return this.#meta }
  get controllerEpoch (): number { return this.#recovered.table.controllerEpoch }
  get full (): boolean { return this.#free.full }
  get low (): boolean { return this.#free.low }
  lowMs (): number { return this.#free.lowMs(this.clock.now()) }

  /** Everything accepted goes to the journal and to a segment. */
  #usedBytes (): number {
    return this.#journal.bytes + this.#journal.queuedBytes + this.#writer.bytes + this.#writer.unwrittenBytes
  }

  get space (): DiskSpace { return this.#free.space }
  get syncLatency (): LatencyHistogram { return this.#journal.syncLatency }

  get queuedBytes (): number {
    if (this.#failure !== undefined) return Infinity
    return this.#journal.queuedBytes + Math.max(0, this.#writer.unwrittenBytes - this.#settings.ringBytesMax)
  }

  get counters (): Readonly<Record<VolumeCounter, number>> {
    let segments = 0
    for (const { state } of this.#logs.values()) segments += state.segments.length
    return {
      journalFrames: this.#journal.frames,
      journalBytes: this.#journal.bytes,
      fsyncs: this.#journal.fsyncs + this.#writer.syncs,
      segmentBytes: this.#writer.bytes,
      coldReads: this.#cold.reads,
      segments
    }
  }

  setControllerEpoch (epoch: number): void {
    const { table } = this.#recovered
    assert(epoch >= table.controllerEpoch, `controller epoch ${epoch} after ${table.controllerEpoch}`)
    if (epoch === table.controllerEpoch) return
    table.controllerEpoch = epoch
    this.frame(64).entries.controllerEpoch(epoch)
  }

  replicas (): ReplicaLogImpl[] {
    return [...this.#logs.values()].sort((a, b) =>
      a.topicId === b.topicId ? a.partition - b.partition : a.topicId < b.topicId ? -1 : 1)
  }

  get (topicId: string, partition: number): ReplicaLogImpl | undefined {
    return this.#logs.get(nameText({ topicId, partition }))
  }

  knew (topicId: string, partition: number): boolean {
    return this.#recovered.table.knew({ topicId, partition })
  }

  create (replica: { topic: string, topicId: string, partition: number, replicaGen: number }): ReplicaLogImpl {
    const { topic, topicId, partition, replicaGen } = replica
    assert(/^[a-zA-Z0-9._-]{1,249}$/.test(topic), `not a topic name: ${topic}`)
    const name = nameText(replica)
    assert(!this.#logs.has(name), `replica ${name} is there already`)
    const state = new LogState(topic, topicId, partition, replicaGen)
    const log = new ReplicaLogImpl(state, this)
    const frame = this.frame(64 + topic.length)
    frame.entries.created(state.key, replicaGen, topic)
    this.#recovered.table.add(state)
    this.#logs.set(name, log)
    return log
  }

  async remove (log: ReplicaLogImpl): Promise<void> {
    const { files } = this.#recovered
    const to = `${files.folder(log.state)}.${this.#meta.bootCount}-${this.#departures++}${deletedSuffix}`
    await this.#depart(log, to)
    if (log.state.hasFolder) this.#deleter.add([{ path: to, folder: true }])
  }

  moveToStray (log: ReplicaLogImpl): Promise<void> { return this.#moveAway(log, strayFolder) }

  moveToDamaged (log: ReplicaLogImpl): Promise<void> { return this.#moveAway(log, damagedFolder) }

  async #moveAway (log: ReplicaLogImpl, folder: string): Promise<void> {
    await this.#durable()
    await this.#writer.exclusive(() => this.#writer.writeLog(log, Infinity))
    if (this.#closed || log.removed) throw new WireError('CLOSED', 'the volume or the replica is closed')
    await this.#depart(log, `${folder}/${folderNameOf(log)}.${this.clock.wallTime()}`)
  }

  whenDurable (callback: () => void): void {
    if (this.#failure === undefined) this.#journal.whenDurable(callback)
  }

  fsyncAgeMs (): number { return this.#journal.syncAgeMs }

  async renewVolumeId (): Promise<void> {
    this.#meta = { ...this.#meta, volumeId: this.#options.rng.hex(8) }
    try {
      await writeMeta(this.#options.disk, this.#meta)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      throw new WireError('VOLUME_FAILED', `the volume failed: ${error.message}`, {}, { cause: error })
    }
  }

  maintain (): Promise<void> {
    if (this.#failure !== undefined || this.#closed) return Promise.resolve()
    this.#maintaining ??= this.#maintain().catch((error: unknown) => { this.#fail(error) })
      .finally(() => { this.#maintaining = undefined })
    return this.#maintaining
  }

  async close (): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#failure === undefined) {
      await this.#maintaining
      await this.#checkpointer.run(1)
      await this.#journal.drained()
    }
    this.#journal.stop()
    await this.#writer.close()
    await this.#deleter.stop()
    await this.#recovered.files.close()
    await this.#journalFiles.close()
    await this.#marker
  }

  // For logs.

  frame (bytes: number): FrameBuilder {
    if (this.#failure === undefined) return this.#journal.frame(bytes)
    this.#nowhere.clear(Infinity)
    return this.#nowhere
  }

  mark (log: ReplicaLogImpl): void {
    this.#marks.add(log)
    this.#journal.markSoon()
  }

  unwritten (log: ReplicaLogImpl, bytes: number): void {
    if (bytes !== 0) this.#writer.add(log, bytes)
  }

  readCold (log: ReplicaLogImpl, offset: number, offsetEnd: number, bytesMax: number): Promise<Uint8Array> {
    return this.#cold.read(log, offset, offsetEnd, bytesMax)
  }

  timeFloor (log: ReplicaLogImpl, timestamp: number): Promise<number> {
    return this.#cold.timeFloor(log, timestamp)
  }

  readSnapshot (log: ReplicaLogImpl, offset: number): Promise<{ offset: number, state: Uint8Array } | undefined> {
    return this.#cold.readSnapshot(log.state, offset)
  }

  #addMarks (frame: FrameBuilder): void {
    for (const log of this.#marks) log.recordHighWatermark(frame)
    this.#marks.clear()
  }

  #frameDurable (frame: FrameBuilder): void {
    for (let i = 0; i < frame.members.length; i++) {
      const log = frame.members[i] as ReplicaLogImpl
      log.frameDurable(frame.ends[i]!, frame.truncations[i]!)
    }
    this.#writer.wake()
    // One that began while the journal ends would wait for it for ever.
    if (!this.#closed && !this.#checkpointer.running && this.#checkpointer.isDue(this.#settings.checkpointBytes)) {
      void this.#checkpoint()
    }
  }

  #checkpoint (): Promise<void> {
    this.#checkpointAt = this.clock.now() + this.#settings.checkpointMs
    return this.#checkpointer.run()
  }

  async #durable (): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure)
        return
      }
      this.#durableWaits.add(reject)
      this.#journal.whenDurable(() => {
        this.#durableWaits.delete(reject)
        resolve()
      })
    })
  }

  async #depart (log: ReplicaLogImpl, to: string): Promise<void> {
    this.#logs.delete(nameText(log))
    this.#marks.delete(log)
    this.#recovered.table.remove(log)
    await this.#writer.depart(log.state, log.markRemoved(), to)
  }

  async #maintain (): Promise<void> {
    await this.#free.look(() => this.#options.disk.space(), this.clock.now())
    const isFull = this.full
    if (!isFull) this.#journalFiles.retry()
    const wallTime = this.clock.wallTime()
    for (const log of [...this.#logs.values()]) {
      const { segments, logStart, highWatermark } = log.state
      const start = retainedStart(segments, logStart, highWatermark, log.settings, wallTime)
      if (start > logStart) log.advanceLogStart(start)
      else if (segments[0] !== undefined && segments[0].end <= logStart) {
        log.state.dropBelowLogStart(this.#journal.lastSequence)
      }
    }
    await this.#durable()
    for (const log of [...this.#logs.values()]) {
      const { condemned, leftovers } = log.state
      if (condemned.length + leftovers.length > 0) await this.#writer.exclusive(() => this.#writer.tidy(log))
    }
    await this.#purge(wallTime)
    // A full disk is helped by what the journal lets go.
    const late = (isFull || this.clock.now() >= this.#checkpointAt) && this.#checkpointer.framesSince > 0
    if (isFull) await this.#journalFiles.dropSpares()
    if (late || this.#checkpointer.isDue(this.#settings.checkpointBytes)) await this.#checkpoint()
  }

  /** What was moved out of the way long ago goes. */
  async #purge (wallTime: number): Promise<void> {
    if (this.clock.now() < this.#purgeAt) return
    this.#purgeAt = this.clock.now() + this.#settings.strayMs / 100
    for (const folder of [strayFolder, damagedFolder]) {
      for (const entry of await this.#options.disk.list(folder)) {
        const movedAt = Number(/\.([0-9]+)$/.exec(entry.name)?.[1] ?? NaN)
        if (movedAt + this.#settings.strayMs >= wallTime) continue
        this.#deleter.add([{ path: `${folder}/${entry.name}`, folder: entry.folder }])
      }
    }
  }

  #fail (error: unknown): void {
    this.#journal.stop()
    this.#writer.stop()
    const cause = error instanceof DiskError ? error : error instanceof Error ? error.cause : undefined
    if (error instanceof WireError || this.#failure !== undefined) return
    // Not the disk's fault: a bug, which must not look like one.
    if (!(cause instanceof DiskError)) throw error
    const code = cause.kind === 'no-space' ? 'DISK_FULL' : 'VOLUME_FAILED'
    const failure = new WireError(code, `the volume failed: ${cause.message}`, {}, { cause: error })
    this.#failure = failure
    for (const reject of this.#durableWaits) reject(failure)
    this.#durableWaits.clear()
    if (cause.kind !== 'no-space') {
      // Best effort: a disk that fails may refuse this too, and nothing depends on it.
      this.#marker = leaveMarker(this.#options.disk, cause.message).catch(() => {})
    }
    this.#options.onFailure(failure)
  }
}
