// A volume in memory: what was journaled becomes durable when the test says so; a crash loses the rest.
import { LatencyHistogram } from '../../../broker/histogram.ts'
import type {
  EpochEntry, ReplicaLog, ReplicaLogSettings, Volume, VolumeCounter, VolumeMeta
} from '../../../broker/log/contract.ts'
import { batches } from '../../../wire/record-batch.ts'
import type { PartitionRow } from '../../../wire/messages.ts'
import { WireError } from '../../../wire/errors.ts'
import { assert } from '../../../broker/assert.ts'

export interface StoredBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  readonly maxTimestamp: number
  readonly bytes: Uint8Array
}

interface Image {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly replicaGen: number
  batches: StoredBatch[]
  epochs: EpochEntry[]
  logStart: number
  logEnd: number
  highWatermark: number
  leaderEpochSeen: number
  row: PartitionRow | undefined
}

type Change = (image: Image) => void

/** What survives a process. */
export class MemoryDisk {
  readonly images = new Map<string, Image>()
  readonly known = new Set<string>()
  volumeId: string
  bootCount = 0
  controllerEpoch = 0

  constructor (volumeId: string) {
    this.volumeId = volumeId
  }

  /** As a snapshot of the volume has it. */
  copy (): MemoryDisk {
    const copy = new MemoryDisk(this.volumeId)
    for (const [key, image] of this.images) copy.images.set(key, structuredClone(image))
    for (const key of this.known) copy.known.add(key)
    return Object.assign(copy, { bootCount: this.bootCount, controllerEpoch: this.controllerEpoch })
  }
}

function keyOf (topicId: string, partition: number): string {
  return `${topicId}-${partition}`
}

export class MemoryVolume implements Volume {
  readonly meta: VolumeMeta
  readonly #disk: MemoryDisk
  readonly #logs = new Map<string, MemoryLog>()
  #journal: { key: string, change: Change }[] = []
  #waiting: (() => void)[] = []
  full = false
  low = false
  queuedBytes = 0
  readonly space = { freeBytes: 1, sizeBytes: 1 }
  readonly syncLatency = new LatencyHistogram()
  /** Offsets below are not in memory: readTail does not have them. */
  coldBelow = 0
  onQueued: (() => void) | undefined
  readonly counters: Record<VolumeCounter, number> =
    { journalFrames: 0, journalBytes: 0, fsyncs: 0, segmentBytes: 0, coldReads: 0, segments: 0 }

  constructor (disk: MemoryDisk, brokerId: number) {
    this.#disk = disk
    this.meta = { clusterUid: 'c', brokerId, volumeId: disk.volumeId, bootCount: ++disk.bootCount, boots: [] }
    for (const key of [...disk.images.keys()].sort()) {
      this.#logs.set(key, new MemoryLog(this, structuredClone(disk.images.get(key)!)))
    }
  }

  lowMs (): number { return Number(this.low) }
  get controllerEpoch (): number { return this.#disk.controllerEpoch }
  setControllerEpoch (epoch: number): void { this.#disk.controllerEpoch = epoch }
  replicas (): MemoryLog[] { return [...this.#logs.values()] }
  get (topicId: string, partition: number): MemoryLog | undefined { return this.#logs.get(keyOf(topicId, partition)) }
  knew (topicId: string, partition: number): boolean { return this.#disk.known.has(keyOf(topicId, partition)) }

  create (replica: { topic: string, topicId: string, partition: number, replicaGen: number }): MemoryLog {
    const image = {
      ...replica,
      batches: [],
      epochs: [],
      logStart: 0,
      logEnd: 0,
      highWatermark: 0,
      leaderEpochSeen: -1,
      row: undefined
    }
    const key = keyOf(replica.topicId, replica.partition)
    assert(!this.#logs.has(key), 'a replica is made once')
    this.#disk.known.add(key)
    this.#disk.images.set(key, structuredClone(image))
    const log = new MemoryLog(this, image)
    this.#logs.set(key, log)
    return log
  }

  remove (log: ReplicaLog): Promise<void> {
    const key = keyOf(log.topicId, log.partition)
    this.#logs.delete(key)
    this.#disk.images.delete(key)
    return Promise.resolve()
  }

  moveToStray (log: ReplicaLog): Promise<void> { return this.remove(log) }
  moveToDamaged (log: ReplicaLog): Promise<void> { return this.remove(log) }

  whenDurable (callback: () => void): void {
    this.#waiting.push(callback)
    this.onQueued?.()
  }

  fsyncAgeMs (): number { return 0 }
  renewVolumeId (): Promise<void> {
    this.#disk.volumeId = `${this.#disk.volumeId.slice(1)}f`
    return Promise.resolve()
  }

  maintain (): Promise<void> { return Promise.resolve() }
  close (): Promise<void> {
    this.sync()
    return Promise.resolve()
  }

  journal (log: MemoryLog, change: Change): void {
    this.#journal.push({ key: keyOf(log.topicId, log.partition), change })
    this.onQueued?.()
  }

  get dirty (): boolean { return this.#journal.length > 0 || this.#waiting.length > 0 }

  /** Everything journaled so far is on disk. */
  sync (): void {
    const journal = this.#journal
    const waiting = this.#waiting
    this.#journal = []
    this.#waiting = []
    this.counters.fsyncs++
    for (const { key, change } of journal) {
      const image = this.#disk.images.get(key)
      if (image !== undefined) change(image)
    }
    for (const log of [...this.#logs.values()]) log.synced()
    for (const callback of waiting) callback()
  }
}

export class MemoryLog implements ReplicaLog {
  readonly #volume: MemoryVolume
  readonly #live: Image
  readonly damaged = ''
  durableEnd: number
  settings: ReplicaLogSettings | undefined
  onDurable: ((durableEnd: number) => void) | undefined
  onDamaged: ((reason: string) => void) | undefined
  snapshotProducers: (() => Uint8Array) | undefined
  #snapshot: { offset: number, state: Uint8Array } | undefined

  constructor (volume: MemoryVolume, image: Image) {
    this.#volume = volume
    this.#live = image
    this.durableEnd = image.logEnd
  }

  get topic (): string { return this.#live.topic }
  get topicId (): string { return this.#live.topicId }
  get partition (): number { return this.#live.partition }
  get replicaGen (): number { return this.#live.replicaGen }
  get logStart (): number { return this.#live.logStart }
  get logEnd (): number { return this.#live.logEnd }
  get highWatermark (): number { return this.#live.highWatermark }
  get epochs (): readonly EpochEntry[] { return this.#live.epochs }
  get leaderEpochSeen (): number { return this.#live.leaderEpochSeen }
  get row (): PartitionRow | undefined { return this.#live.row }
  get sizeBytes (): number { return this.#live.batches.reduce((sum, batch) => sum + batch.bytes.length, 0) }
  bytesFrom (offset: number): number {
    return this.#live.batches.reduce((sum, batch) => batch.lastOffset < offset ? sum : sum + batch.bytes.length, 0)
  }

  /** For tests: what the log holds. */
  get batches (): readonly StoredBatch[] { return this.#live.batches }

  #change (change: Change): void {
    change(this.#live)
    this.#volume.journal(this, change)
  }

  /** Called by the volume after a sync of everything. */
  synced (): void {
    if (this.durableEnd === this.logEnd) return
    this.durableEnd = this.logEnd
    this.onDurable?.(this.durableEnd)
  }

  setRow (row: PartitionRow): void {
    this.#change(image => {
      image.row = row
      image.leaderEpochSeen = Math.max(image.leaderEpochSeen, row.leaderEpoch)
    })
  }

  beginEpoch (epoch: number): void {
    this.#change(image => { begin(image, epoch) })
  }

  append (bytes: Uint8Array): void {
    const copy = Uint8Array.from(bytes)
    this.#change(image => {
      for (const header of batches(copy)) {
        const { baseOffset, lastOffset, leaderEpoch, maxTimestamp, position, sizeBytes } = header
        assert(baseOffset === image.logEnd, `a batch at ${baseOffset} cannot follow ${image.logEnd}`)
        if (leaderEpoch !== (image.epochs.at(-1)?.epoch ?? -1)) begin(image, leaderEpoch)
        const stored = copy.subarray(position, position + sizeBytes)
        image.batches.push({ baseOffset, lastOffset, epoch: leaderEpoch, maxTimestamp, bytes: stored })
        image.logEnd = lastOffset + 1
      }
    })
  }

  setHighWatermark (offset: number): void {
    this.#change(image => { image.highWatermark = Math.max(image.highWatermark, offset) })
  }

  truncate (offset: number): void {
    this.#change(image => {
      image.batches = image.batches.filter(batch => batch.lastOffset < offset)
      image.epochs = image.epochs.filter(entry => entry.startOffset < offset)
      image.logEnd = image.batches.at(-1)?.lastOffset ?? image.logStart - 1
      image.logEnd++
      image.highWatermark = Math.min(image.highWatermark, image.logEnd)
    })
    this.durableEnd = Math.min(this.durableEnd, this.logEnd)
    if (this.#snapshot !== undefined && this.#snapshot.offset > this.logEnd) this.#snapshot = undefined
  }

  reset (offset: number): void {
    this.#change(image => {
      image.batches = []
      image.epochs = []
      image.logStart = offset
      image.logEnd = offset
      image.highWatermark = offset
    })
    this.durableEnd = Math.min(this.durableEnd, offset)
  }

  advanceLogStart (offset: number): void {
    this.#change(image => {
      image.logStart = Math.max(image.logStart, offset)
      image.batches = image.batches.filter(batch => batch.lastOffset >= offset)
    })
  }

  configure (settings: ReplicaLogSettings): void { this.settings = settings }

  /** As a segment roll does. */
  roll (): void {
    if (this.snapshotProducers !== undefined) this.#snapshot = { offset: this.logEnd, state: this.snapshotProducers() }
  }

  readTail (offset: number, offsetEnd: number, bytesMax: number): Uint8Array | undefined {
    return offset < this.#volume.coldBelow ? undefined : this.#read(offset, offsetEnd, bytesMax)
  }

  read (offset: number, offsetEnd: number, bytesMax: number): Promise<Uint8Array> {
    if (offset < this.logStart) return Promise.reject(new WireError('OFFSET_OUT_OF_RANGE'))
    this.#volume.counters.coldReads++
    return Promise.resolve(this.#read(offset, offsetEnd, bytesMax))
  }

  #read (offset: number, offsetEnd: number, bytesMax: number): Uint8Array {
    const parts: Uint8Array[] = []
    let size = 0
    for (const batch of this.batches) {
      if (batch.lastOffset < offset) continue
      if (batch.lastOffset >= offsetEnd || (size > 0 && size + batch.bytes.length > bytesMax)) break
      parts.push(batch.bytes)
      size += batch.bytes.length
    }
    return Uint8Array.from(Buffer.concat(parts))
  }

  offsetForTimestamp (timestamp: number,
    offsetEnd: number): Promise<{ offset: number, timestamp: number } | undefined> {
    const batch = this.batches.find(found => found.maxTimestamp >= timestamp && found.lastOffset < offsetEnd)
    return Promise.resolve(batch && { offset: batch.baseOffset, timestamp: batch.maxTimestamp })
  }

  producerSnapshot (offset: number): Promise<{ offset: number, state: Uint8Array } | undefined> {
    return Promise.resolve(this.#snapshot !== undefined && this.#snapshot.offset <= offset ? this.#snapshot : undefined)
  }
}

function begin (image: Image, epoch: number): void {
  const last = image.epochs.at(-1)
  assert(last === undefined || (epoch > last.epoch && image.logEnd > last.startOffset),
    `epoch ${epoch} at ${image.logEnd} cannot follow ${last?.epoch} at ${last?.startOffset}`)
  image.epochs = [...image.epochs, { epoch, startOffset: image.logEnd }]
  image.leaderEpochSeen = Math.max(image.leaderEpochSeen, epoch)
}
