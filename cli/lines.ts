// Lines of a stream as ranges of its chunks: no string and no object for each.
import { batchBytesMax } from '../client/limits.ts'
import { CliError } from './exit.ts'

const NEWLINE = 10

/** The lines of one chunk, one after the other. */
export class Lines {
  readonly bytes: Buffer
  /** Of the whole stream, from 1. */
  number: number
  /** -1: no key. */
  keyStart = -1
  keyEnd = -1
  valueStart = -1
  valueEnd = -1
  #next = 0
  readonly #end: number
  readonly #separator: Buffer | undefined
  /** Where the next separator is, found once and not again for each line before it. */
  #separatorAt = -1

  constructor (bytes: Buffer, end: number, before: number, separator: Buffer | undefined) {
    this.bytes = bytes
    this.#end = end
    this.number = before
    this.#separator = separator
  }

  next (): boolean {
    if (this.#next >= this.#end) return false
    const start = this.#next
    const found = this.bytes.indexOf(NEWLINE, start)
    const end = found < 0 || found >= this.#end ? this.#end : found
    this.#next = end + 1
    this.number++
    this.keyStart = -1
    this.keyEnd = -1
    this.valueStart = start
    this.valueEnd = end
    if (this.#separator !== undefined) this.#split(start, end, this.#separator)
    return true
  }

  /** A line without a separator is a value without a key. */
  #split (start: number, end: number, separator: Buffer): void {
    if (this.#separatorAt < start) {
      const found = this.bytes.indexOf(separator, start)
      this.#separatorAt = found < 0 ? Infinity : found
    }
    if (this.#separatorAt + separator.length > end) return
    this.keyStart = start
    this.keyEnd = this.#separatorAt
    this.valueStart = this.#separatorAt + separator.length
  }
}

/**
 * The stream in pieces of whole lines; the last one counts without its line feed too. A key ends at the
 * first separator.
 * @throws CliError for a line longer than a record may be.
 */
export async function * readLines (input: AsyncIterable<Buffer>, separator: Buffer | undefined,
  signal: AbortSignal): AsyncGenerator<Lines> {
  let rest: Buffer = Buffer.alloc(0)
  let number = 0
  try {
    for await (const chunk of input) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const end = bytes.lastIndexOf(NEWLINE) + 1
      if (end > 0) {
        const lines = new Lines(bytes, end, number, separator)
        yield lines
        number = lines.number
      }
      rest = bytes.subarray(end)
      if (rest.length > batchBytesMax) {
        throw new CliError(`line ${number + 1} is longer than ${batchBytesMax} bytes`)
      }
    }
  } catch (error) {
    // The signal destroyed the input.
    if (!signal.aborted) throw error
  }
  if (rest.length > 0 && !signal.aborted) yield new Lines(rest, rest.length, number, separator)
}
