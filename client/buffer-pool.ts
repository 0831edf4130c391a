// Bytes of batches used again: fresh ones cost page faults and garbage collections, a third of a busy
// producer's time. Only bytes that nobody can hold any more may be given back.

const SIZE_MIN = 16 * 1024

export class BufferPool {
  readonly #free = new Map<number, Uint8Array[]>()
  readonly #bytesMax: number
  #bytes = 0

  /** @param bytesMax that lie about for the next batch. */
  constructor (bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** At least `bytes`, a power of two; the contents are whatever they were. */
  take (bytes: number): Uint8Array {
    const size = 2 ** Math.ceil(Math.log2(Math.max(1, bytes)))
    const buffer = this.#free.get(size)?.pop()
    if (buffer === undefined) return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
    this.#bytes -= size
    return buffer
  }

  give (buffer: Uint8Array): void {
    const size = buffer.length
    if (size < SIZE_MIN || this.#bytes + size > this.#bytesMax || Math.log2(size) % 1 !== 0) return
    this.#bytes += size
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [buffer])
    else free.push(buffer)
  }
}
