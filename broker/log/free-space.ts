// How much of the volume is free, also between two looks at it, and the two watermarks.
import type { DiskSpace } from '../io/ports.ts'
import type { VolumeSettings } from './settings.ts'

export class FreeSpace {
  readonly #settings: Pick<VolumeSettings, 'reserveBytes' | 'lowSpaceShare'>
  /** What was written since the volume was opened: grows by at least what the disk loses. */
  readonly #usedBytes: () => number
  /** As of the last look, and what had been used by then: between two looks the reserve could be written away. */
  #space: DiskSpace
  #usedAtLook = 0
  #refused = false
  /** Clock time of the look that found it low first; -1: it is not. */
  #lowSince = -1

  constructor (settings: VolumeSettings, space: DiskSpace, usedBytes: () => number) {
    this.#settings = settings
    this.#space = space
    this.#usedBytes = usedBytes
  }

  /** As of the last look. */
  get space (): DiskSpace { return this.#space }

  /** Below the second watermark: nothing is taken in. */
  get full (): boolean { return this.#refused || this.#freeBytes < this.#settings.reserveBytes }

  /** Below the first one: what retention may remove is to go as soon as it may. */
  get low (): boolean {
    const { reserveBytes, lowSpaceShare } = this.#settings
    return this.full || this.#freeBytes < Math.max(2 * reserveBytes, lowSpaceShare * this.#space.sizeBytes)
  }

  get #freeBytes (): number { return this.#space.freeBytes - (this.#usedBytes() - this.#usedAtLook) }

  /** The disk has found no room for something; until the next look. */
  refused (): void { this.#refused = true }

  /** For how long it has been low, 1 at least; 0: it is not. */
  lowMs (now: number): number {
    return !this.low ? 0 : this.#lowSince < 0 ? 1 : Math.max(1, now - this.#lowSince)
  }

  async look (ask: () => Promise<DiskSpace>, now: number): Promise<void> {
    const used = this.#usedBytes()
    this.#space = await ask()
    this.#usedAtLook = used
    this.#refused = false
    if (!this.low) this.#lowSince = -1
    else if (this.#lowSince < 0) this.#lowSince = now
  }
}
