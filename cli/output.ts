// Data on stdout, gathered into large writes. A reader that goes away (head) ends the output, quietly.

const FLUSH_BYTES = 128 * 1024

export class Output {
  #bytes = Buffer.allocUnsafe(2 * FLUSH_BYTES)
  #length = 0
  #failure: Error | undefined
  readonly #stream: NodeJS.WriteStream
  readonly #onBroken: () => void

  /** @param onBroken called once when nothing can be written any more. */
  constructor (onBroken: () => void, stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream
    this.#onBroken = onBroken
    stream.on('error', this.#broken)
  }

  readonly #broken = (error: Error): void => {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#onBroken()
  }

  /** The reader has gone away, or the disk is full. */
  get isBroken (): boolean { return this.#failure !== undefined }

  /** What went wrong, unless it was only a reader that had enough. */
  get failure (): Error | undefined {
    return (this.#failure as NodeJS.ErrnoException | undefined)?.code === 'EPIPE' ? undefined : this.#failure
  }

  /** Time to flush. */
  get isFull (): boolean { return this.#length >= FLUSH_BYTES }

  bytes (source: Uint8Array, start = 0, end = source.length): void {
    this.#reserve(end - start)
    this.#bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.#length)
    this.#length += end - start
  }

  text (text: string): void {
    this.#reserve(text.length * 3)
    this.#length += this.#bytes.write(text, this.#length)
  }

  byte (value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  #reserve (more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#length + more, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }

  /** Resolves when everything so far is written, or can never be. */
  flush (): Promise<void> {
    if (this.#length === 0 || this.isBroken) return Promise.resolve()
    const bytes = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.allocUnsafe(2 * FLUSH_BYTES)
    this.#length = 0
    return new Promise(resolve => {
      this.#stream.write(bytes, error => {
        if (error !== null && error !== undefined) this.#broken(error)
        resolve()
      })
    })
  }
}

/** Writes text to stdout; resolves when it is written, or its reader has gone. */
export async function print (text: string): Promise<void> {
  const output = new Output(() => {})
  output.text(text)
  await output.flush()
  if (output.failure !== undefined) throw output.failure
}
