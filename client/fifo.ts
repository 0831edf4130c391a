// A queue whose `shift` does not move what is behind (an array's does, beyond some thousand elements).

const COMPACT_MIN = 1_024

export class Fifo<T> implements Iterable<T> {
  #items: T[] = []
  #head = 0

  get length (): number { return this.#items.length - this.#head }

  push (item: T): void {
    this.#items.push(item)
  }

  peek (): T | undefined {
    return this.#items[this.#head]
  }

  shift (): T | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#head++
    const mostlyGone = this.#head >= COMPACT_MIN && this.#head * 2 >= this.#items.length
    if (mostlyGone || this.#head === this.#items.length) this.#compact()
    return item
  }

  #compact (): void {
    this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }

  /** Takes one out of the middle; false when it is not there. */
  remove (item: T): boolean {
    const at = this.#items.indexOf(item, this.#head)
    if (at < 0) return false
    this.#items.splice(at, 1)
    return true
  }

  /** Everything, in order; the queue is empty afterwards. */
  clear (): T[] {
    this.#compact()
    const items = this.#items
    this.#items = []
    return items
  }

  * [Symbol.iterator] (): Generator<T> {
    for (let at = this.#head; at < this.#items.length; at++) yield this.#items[at]!
  }
}
