// A binary heap of events ordered by (time, sequence): the only order that exists in a simulation.

export interface Ordered {
  readonly at: number
  readonly sequence: number
}

function before (a: Ordered, b: Ordered): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
}

export class Heap<E extends Ordered> {
  #items: E[] = []

  get size (): number { return this.#items.length }

  peek (): E | undefined { return this.#items[0] }

  push (item: E): void {
    const items = this.#items
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = items[parent]!
      if (!before(item, above)) break
      items[at] = above
      at = parent
    }
    items[at] = item
  }

  pop (): E | undefined {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (first === undefined || last === undefined || items.length === 0) return first
    this.#sink(last, 0)
    return first
  }

  /** Drops what `keep` refuses. Costs a pass over everything. */
  filter (keep: (item: E) => boolean): void {
    this.#items = this.#items.filter(keep)
    for (let at = (this.#items.length >> 1) - 1; at >= 0; at--) this.#sink(this.#items[at]!, at)
  }

  #sink (item: E, from: number): void {
    const items = this.#items
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child++
      if (!before(items[child]!, item)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = item
  }
}
