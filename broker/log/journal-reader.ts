// Reads the chain of frames that a checkpoint points to, and tells a torn tail from corruption: each frame
// is written when the one before is durable, so a later frame is the witness that an earlier one was.
import { crc32c } from '../../wire/crc32c.ts'
import { WireError } from '../../wire/errors.ts'
import type { Disk, DiskFile } from '../io/ports.ts'
import { FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FRAME_VERSION, frameBytes, readFrameHeader } from './frame.ts'
import type { FrameHeader } from './frame.ts'
import type { JournalPlace } from './journal.ts'
import { journalFolder } from './journal-files.ts'
import type { JournalFileName } from './journal-files.ts'

const CHUNK_BYTES = 1024 * 1024

export interface ReadFrame {
  readonly sequence: number
  readonly directory: Uint8Array
  readonly body: Uint8Array
  /** False: the body's checksum is wrong, the directory is right. */
  readonly whole: boolean
}

interface Place {
  readonly file: number
  readonly position: number
  readonly header: FrameHeader
}

export class JournalReader {
  readonly #disk: Disk
  readonly #uid: string
  readonly #place: JournalPlace
  /** Of this uid, in order; those before the place are left out. */
  readonly #names: readonly JournalFileName[]
  readonly #files: DiskFile[] = []
  #file = 0
  #position: number
  #expected: number
  #chunk = new Uint8Array(0)
  #chunkFile = -1
  #chunkAt = 0

  constructor (disk: Disk, uid: string, place: JournalPlace, names: readonly JournalFileName[]) {
    this.#disk = disk
    this.#uid = uid
    this.#place = place
    this.#names = names.filter(name => name.uid === uid && name.ordinal >= place.ordinal)
    this.#position = this.#names[0]?.ordinal === place.ordinal ? place.position : 0
    this.#expected = place.sequence
  }

  /** The sequence of the frame that next() did not find. */
  get expected (): number { return this.#expected }

  async open (): Promise<void> {
    for (const { name } of this.#names) this.#files.push(await this.#disk.open(`${journalFolder}/${name}`))
  }

  /** True when the file that the checkpoint points into is gone, or shorter than it was. */
  get missing (): boolean {
    return this.#names[0]?.ordinal !== this.#place.ordinal || this.#files[0]!.size < this.#place.position
  }

  async close (): Promise<void> {
    for (const file of this.#files) await file.close()
  }

  /** The next frame of the chain; undefined where it ends, or where it is too broken to go on. */
  async next (): Promise<ReadFrame | undefined> {
    const place = await this.#find()
    if (place === undefined) return undefined
    const { header } = place
    const start = place.position + FRAME_HEADER_BYTES
    const bytes = await this.#read(place.file, start, header.directoryBytes + header.bodyBytes)
    if (bytes.length < header.directoryBytes) return undefined
    const directory = bytes.subarray(0, header.directoryBytes)
    if (crc32c(directory) !== header.directoryCrc) return undefined
    const body = bytes.subarray(header.directoryBytes)
    this.#file = place.file
    this.#position = place.position + frameBytes(header.directoryBytes, header.bodyBytes)
    this.#expected++
    const whole = body.length === header.bodyBytes && crc32c(body) === header.bodyCrc
    return { sequence: header.sequence, directory, body, whole }
  }

  /**
   * True when a frame beyond the expected one was written: what could not be read had been acknowledged.
   * After a frame that was not whole, `expected` is the one after it, which witnesses as well.
   */
  async hasWitness (from = this.#expected + 1): Promise<boolean> {
    for (let file = this.#file; file < this.#files.length; file++) {
      const size = this.#files[file]!.size
      for (let at = file === this.#file ? this.#position : 0; at < size; at += FRAME_ALIGNMENT) {
        const header = await this.#header(file, at)
        if (header !== undefined && header.sequence >= from) return true
      }
    }
    return false
  }

  /** The expected frame is here, or at the start of the next file. */
  async #find (): Promise<Place | undefined> {
    const candidates = [[this.#file, this.#position], [this.#file + 1, 0]] as const
    for (const [file, position] of candidates) {
      const header = await this.#header(file, position)
      if (header?.sequence === this.#expected) return { file, position, header }
    }
    return undefined
  }

  async #header (file: number, position: number): Promise<FrameHeader | undefined> {
    if (file >= this.#files.length) return undefined
    const bytes = await this.#read(file, position, FRAME_HEADER_BYTES)
    const header = readFrameHeader(bytes, 0)
    if (header === undefined || header.uid !== this.#uid) return undefined
    if (header.version !== FRAME_VERSION) {
      throw new WireError('VOLUME_VERSION', `the journal has version ${header.version}, not ${FRAME_VERSION}`)
    }
    return header
  }

  /** A view; chunks are not used again, so that batches may go on living in them. */
  async #read (file: number, position: number, length: number): Promise<Uint8Array> {
    const inChunk = file === this.#chunkFile && position >= this.#chunkAt &&
      position + length <= this.#chunkAt + this.#chunk.length
    if (!inChunk) {
      const target = this.#files[file]!
      const want = Math.max(length, CHUNK_BYTES)
      const chunk = new Uint8Array(Math.max(0, Math.min(want, target.size - position)))
      const count = await target.read(chunk, position)
      this.#chunk = chunk.subarray(0, count)
      this.#chunkFile = file
      this.#chunkAt = position
    }
    const at = position - this.#chunkAt
    return this.#chunk.subarray(at, at + length)
  }
}
