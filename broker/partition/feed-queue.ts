// What was sent to a follower and is not durable there: bounds the memory that a slow follower costs.

/** Sent messages of one subscription, oldest first: the offset after each and its bytes. */
export class InFlight {
  #ends: number[] = []
  #sizes: number[] = []
  #head = 0
  bytes = 0

  add (end: number, bytes: number): void {
    this.#ends.push(end)
    this.#sizes.push(bytes)
    this.bytes += bytes
  }

  /** Everything below `end` is durable there. Returns the bytes that this freed. */
  acknowledge (end: number): number {
    let freed = 0
    while (this.#head < this.#ends.length && this.#ends[this.#head]! <= end) freed += this.#sizes[this.#head++]!
    this.bytes -= freed
    if (this.#head === this.#ends.length || this.#head > 256) {
      this.#ends.splice(0, this.#head)
      this.#sizes.splice(0, this.#head)
      this.#head = 0
    }
    return freed
  }
}
