// What the storage tests share: a clock that is wound by hand, batches, volumes on simulated disks.
import { BatchBuilder } from '../../../wire/batch-builder.ts'
import { utf8 } from '../../../wire/bytes.ts'
import { batches, stampBaseOffset, stampLeaderEpoch } from '../../../wire/record-batch.ts'
import { decodeRecords } from '../../../wire/batch-reader.ts'
import type { Clock, Rng, Timer } from '../../../wire/ports.ts'
import { openVolume } from '../../../broker/log/volume.ts'
import type { ReplicaLog, Volume } from '../../../broker/log/contract.ts'
import type { VolumeSettings } from '../../../broker/log/settings.ts'
import { SimDisk } from '../../sim/disk.ts'
import { SimRng } from '../../sim/rng.ts'

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
  cancelled: boolean
}

/** Time moves only when a test says so; each event runs with all promises that it settles. */
export class TestClock implements Clock {
  #events: Event[] = []
  #now = 0
  #order = 0
  wall = 1_700_000_000_000

  now (): number { return this.#now }
  wallTime (): number { return this.wall + Math.floor(this.#now) }

  setTimer (afterMs: number, callback: () => void): Timer {
    const event = { at: this.#now + afterMs, order: this.#order++, run: callback, cancelled: false }
    this.#events.push(event)
    return { cancel: () => { event.cancelled = true } }
  }

  defer (callback: () => void): void { this.setTimer(0, callback) }

  /** Forgets all that is to come: the process died. */
  clear (): void { this.#events = [] }

  /** Runs the next event; false when there is none at or before `until`. */
  async step (until = Infinity): Promise<boolean> {
    let next = this.#next()
    if (next === undefined || next.at > until) {
      // What was called just now may still be on its way to its first event.
      await new Promise(setImmediate)
      next = this.#next()
      if (next === undefined || next.at > until) return false
    }
    this.#events.splice(this.#events.indexOf(next), 1)
    this.#now = next.at
    next.run()
    await new Promise(setImmediate)
    return true
  }

  #next (): Event | undefined {
    let next: Event | undefined
    this.#events = this.#events.filter(event => !event.cancelled)
    for (const event of this.#events) {
      if (next === undefined || event.at < next.at || (event.at === next.at && event.order < next.order)) next = event
    }
    return next
  }

  async advance (ms: number): Promise<void> {
    const until = this.#now + ms
    while (await this.step(until)) { /* on */ }
    this.#now = until
  }

  /** Runs events until `promise` settles. */
  async until<T> (promise: Promise<T>): Promise<T> {
    let settled = false
    const mark = (): void => { settled = true }
    promise.then(mark, mark)
    for (let idle = 0; !settled && idle < 3;) {
      idle = await this.step() ? 0 : idle + 1
    }
    if (!settled) throw new Error('nothing is left to do, and it has not settled')
    return await promise
  }
}

export interface BatchSpec {
  readonly base: number
  readonly epoch?: number
  readonly values: readonly string[]
  readonly timestamp?: number
}

/** One batch, stamped as a leader does. */
export function batch ({ base, epoch = 0, values, timestamp = 1_700_000_000_000 }: BatchSpec): Uint8Array {
  const builder = new BatchBuilder(64)
  values.forEach((value, i) => { builder.append(timestamp + i, null, utf8(value)) })
  const bytes = builder.finish().slice()
  stampBaseOffset(bytes, base)
  stampLeaderEpoch(bytes, epoch)
  return bytes
}

/** offset:value of all records in batches. */
export function recordsOf (bytes: Uint8Array): string[] {
  const records: string[] = []
  for (const header of batches(bytes)) {
    for (const record of decodeRecords(bytes, header)) {
      records.push(`${record.offset}:${Buffer.from(record.value ?? []).toString()}`)
    }
  }
  return records
}

export const topicId = '00112233445566ff'
export const small: Partial<VolumeSettings> = {
  journalFileBytes: 256 * 1024,
  journalFirstFileBytes: 64 * 1024,
  frameBytesMax: 64 * 1024,
  checkpointBytes: 512 * 1024,
  writeBehindBytes: 32 * 1024,
  ringBytesMax: 64 * 1024,
  coldReadBytesMax: 32 * 1024,
  reserveBytes: 0
}

/** A broker's volume through crashes: opens, winds the clock, remembers failures and notes. */
export class Bench {
  readonly clock = new TestClock()
  readonly rng: SimRng
  disk: SimDisk
  volume!: Volume
  failures: Error[] = []
  notes: string[] = []
  readonly settings: Partial<VolumeSettings>

  constructor (seed = 1, settings: Partial<VolumeSettings> = small, disk: { capacity?: number } = {}) {
    this.rng = new SimRng(seed)
    this.settings = settings
    const latency = this.rng.fork('latency')
    this.disk = new SimDisk({
      ...disk, rng: this.rng.fork('disk'), clock: this.clock, latencyMs: () => 0.1 + latency.fraction()
    })
  }

  async open (overrides: { clusterUid?: string, brokerId?: number, rng?: Rng } = {}): Promise<Volume> {
    this.notes = []
    this.volume = await this.clock.until(this.opening(overrides))
    return this.volume
  }

  opening (overrides: { clusterUid?: string, brokerId?: number } = {}): Promise<Volume> {
    return openVolume({
      disk: this.disk,
      clock: this.clock,
      rng: this.rng,
      clusterUid: 'cluster-a',
      brokerId: 0,
      settings: this.settings,
      onFailure: error => { this.failures.push(error) },
      onNote: note => { this.notes.push(note) },
      ...overrides
    })
  }

  /** Runs until everything so far is durable. */
  async durable (): Promise<void> {
    await this.clock.until(new Promise<void>((resolve) => { this.volume.whenDurable(resolve) }))
  }

  powerLoss (): void {
    this.clock.clear()
    this.disk = this.disk.crash()
  }

  kill (): void {
    this.clock.clear()
    this.disk = this.disk.kill()
  }

  async close (): Promise<void> { await this.clock.until(this.volume.close()) }

  async wait<T> (promise: Promise<T>): Promise<T> { return await this.clock.until(promise) }
}

/** All records of a log, read in pieces of bytesMax. */
export async function readAll (bench: Bench, log: ReplicaLog, bytesMax = 4096): Promise<string[]> {
  const records: string[] = []
  for (let offset = log.logStart; offset < log.logEnd;) {
    const bytes = await bench.wait(log.read(offset, log.logEnd, bytesMax))
    if (bytes.length === 0) throw new Error(`nothing at ${offset} of ${log.logEnd}`)
    records.push(...recordsOf(bytes))
    for (const header of batches(bytes)) offset = header.lastOffset + 1
  }
  return records
}
