// The writer of the journal. Group commit without a timer: while one frame is written and fsynced, the
// next one gathers what all replicas have; it is written when the first is durable.
import { assert } from '../assert.ts'
import { LatencyHistogram } from '../histogram.ts'
import type { Clock, Timer } from '../../wire/ports.ts'
import { FRAME_HEADER_BYTES, FrameBuilder } from './frame.ts'
import type { JournalFiles } from './journal-files.ts'
import type { VolumeSettings } from './settings.ts'

export interface JournalHooks {
  /** A frame closes: the last moment to add what only wants to go along (marks). */
  closing (frame: FrameBuilder): void
  /** A frame is durable; its callbacks have not run yet. */
  durable (frame: FrameBuilder): void
  /** A write or an fsync failed: final, nothing is written any more. */
  failed (error: unknown): void
}

export interface JournalOptions {
  readonly clock: Clock
  readonly settings: VolumeSettings
  readonly files: JournalFiles
  /** 8 bytes. */
  readonly uid: Uint8Array
  /** Of the first frame to write. */
  readonly sequence: number
  readonly hooks: JournalHooks
}

/** Where a frame begins, or would begin: there, or at the start of the next file. */
export interface JournalPlace {
  readonly sequence: number
  readonly ordinal: number
  readonly position: number
}

export class Journal {
  readonly #options: JournalOptions
  /** Closed frames that wait, oldest first. */
  readonly #closed: FrameBuilder[] = []
  readonly #free: FrameBuilder[] = []
  #gathering = new FrameBuilder()
  #waitingBytes = 0
  #writing: FrameBuilder | undefined
  #running = false
  #scheduled = false
  #failed = false
  #syncSince = 0
  #unwitnessed = false
  #markTimer: Timer | undefined
  #markDue = false
  #cut: JournalPlace | undefined
  readonly #idle: (() => void)[] = []
  frames = 0
  bytes = 0
  fsyncs = 0
  readonly syncLatency = new LatencyHistogram()

  constructor (options: JournalOptions) {
    this.#options = options
    this.#gathering.clear(options.sequence)
  }

  /** The sequence of the last durable frame. */
  get durableSequence (): number { return (this.#writing ?? this.#closed[0] ?? this.#gathering).sequence - 1 }
  /** The sequence of the last frame that has anything in it. */
  get lastSequence (): number { return this.#gathering.sequence - (this.#gathering.empty ? 1 : 0) }
  /** Bytes that are not durable yet. */
  get queuedBytes (): number {
    return this.#waitingBytes + (this.#gathering.empty ? 0 : this.#gathering.bytes)
  }

  get syncAgeMs (): number {
    return this.#writing === undefined ? 0 : this.#options.clock.now() - this.#syncSince
  }

  /** The frame that gathers, with room for `bytes` more; it will be written soon. */
  frame (bytes: number): FrameBuilder {
    const { frameBytesMax } = this.#options.settings
    assert(bytes + FRAME_HEADER_BYTES <= frameBytesMax, `an entry of ${bytes} bytes does not fit a frame`)
    if (!this.#gathering.empty && this.#gathering.bytes + bytes > frameBytesMax) this.#close()
    this.#schedule()
    this.#gathering.needsWitness = true
    return this.#gathering
  }

  /** `callback` runs when everything that was added before is durable. */
  whenDurable (callback: () => void): void {
    if (!this.#gathering.empty) this.#gathering.callbacks.push(callback)
    else if (this.#closed.length > 0) this.#closed.at(-1)?.callbacks.push(callback)
    else if (this.#writing !== undefined) this.#writing.callbacks.push(callback)
    else this.#options.clock.defer(() => { if (!this.#failed) callback() })
  }

  /** A mark frame will follow soon if nothing else does. */
  markSoon (): void {
    if (this.#failed || this.#markTimer !== undefined) return
    this.#markTimer = this.#options.clock.setTimer(this.#options.settings.markAfterMs, () => {
      this.#markTimer = undefined
      if (this.#running || this.#scheduled) return
      this.#markDue = true
      this.#schedule()
    })
  }

  /** Everything added so far lies in frames below the sequence returned. */
  cut (): number {
    if (!this.#gathering.empty) this.#close()
    this.#cut = { sequence: this.#gathering.sequence, ordinal: -1, position: 0 }
    return this.#gathering.sequence
  }

  /** Where recovery has to begin to read for the last cut. */
  placeOfCut (): JournalPlace {
    assert(this.#cut !== undefined, 'there was a cut')
    if (this.#cut.ordinal >= 0) return this.#cut
    const { files } = this.#options
    return { sequence: this.#cut.sequence, ordinal: files.ordinal, position: files.position }
  }

  /** Resolves when nothing waits, or nothing will be written any more. */
  async drained (): Promise<void> {
    if (this.#failed || (!this.#running && !this.#scheduled)) return
    await new Promise<void>((resolve) => { this.#idle.push(resolve) })
  }

  /** Writes nothing any more. */
  stop (): void {
    this.#failed = true
    this.#markTimer?.cancel()
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #close (): void {
    const frame = this.#gathering
    this.#options.hooks.closing(frame)
    this.#closed.push(frame)
    this.#waitingBytes += frame.bytes
    this.#gathering = this.#free.pop() ?? new FrameBuilder()
    this.#gathering.clear(frame.sequence + 1)
    this.#schedule()
  }

  #schedule (): void {
    if (this.#running || this.#scheduled || this.#failed) return
    this.#scheduled = true
    // What else happens in this turn of the event loop goes into the same frame.
    this.#options.clock.defer(() => {
      this.#scheduled = false
      this.#running = true
      this.#run().catch((error: unknown) => {
        this.#failed = true
        this.#options.hooks.failed(error)
      })
    })
  }

  async #run (): Promise<void> {
    for (;;) {
      if (this.#closed.length === 0 && (!this.#gathering.empty || this.#markDue)) this.#close()
      this.#markDue = false
      const frame = this.#closed.shift()
      if (frame === undefined || this.#failed) break
      await this.#write(frame)
    }
    this.#running = false
    if (this.#unwitnessed) this.markSoon()
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #write (frame: FrameBuilder): Promise<void> {
    const { files, uid, clock, hooks } = this.#options
    this.#syncSince = clock.now()
    this.#writing = frame
    const bytes = frame.bytes
    const parts = frame.finish(uid)
    const { file, position } = await files.place(bytes)
    if (frame.sequence === this.#cut?.sequence) {
      this.#cut = { sequence: frame.sequence, ordinal: files.ordinal, position }
    }
    await file.write(parts, position)
    const beganMs = clock.now()
    await file.sync()
    if (this.#failed) return
    this.syncLatency.observe(clock.now() - beganMs)
    this.#writing = undefined
    this.#waitingBytes -= bytes
    this.frames++
    this.fsyncs++
    this.bytes += bytes
    // A mark without a witness may be lost: it says nothing that was acknowledged.
    this.#unwitnessed = frame.needsWitness
    hooks.durable(frame)
    for (const callback of frame.callbacks) callback()
    frame.clear(0)
    this.#free.push(frame)
  }
}
