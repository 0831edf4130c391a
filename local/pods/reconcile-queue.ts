// Runs a reconcile function for keys that have news: one at a time for a key, again when news came in the
// meantime, again after a pause when it failed.

const pauseMsFirst = 20
const pauseMsMax = 1_000

interface Entry {
  running: boolean
  again: boolean
  failures: number
  timer: NodeJS.Timeout | undefined
}

export class ReconcileQueue {
  readonly #reconcile: (key: string) => Promise<void>
  readonly #onError: (key: string, error: unknown) => void
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Set<Promise<void>>()
  #stopped = false

  /** @param onError hears of failures that lasted; the first few are usual where several write. */
  constructor (reconcile: (key: string) => Promise<void>, onError: (key: string, error: unknown) => void) {
    this.#reconcile = reconcile
    this.#onError = onError
  }

  add (key: string): void {
    if (this.#stopped) return
    const entry = this.#entries.get(key) ?? { running: false, again: false, failures: 0, timer: undefined }
    this.#entries.set(key, entry)
    entry.again = true
    if (!entry.running && entry.timer === undefined) this.#begin(key, entry)
  }

  /** Resolves when nothing runs any more. */
  async stop (): Promise<void> {
    this.#stopped = true
    for (const { timer } of this.#entries.values()) clearTimeout(timer)
    await Promise.all(this.#running)
  }

  #begin (key: string, entry: Entry): void {
    entry.running = true
    const done = this.#run(key, entry).finally(() => { this.#running.delete(done) })
    this.#running.add(done)
  }

  async #run (key: string, entry: Entry): Promise<void> {
    // Later in the same turn: the events of one write come together.
    await Promise.resolve()
    while (entry.again && !this.#stopped && entry.timer === undefined) {
      entry.again = false
      try {
        await this.#reconcile(key)
        entry.failures = 0
      } catch (error) {
        this.#pause(key, entry, error)
      }
    }
    entry.running = false
    if (entry.timer === undefined) this.#entries.delete(key)
  }

  #pause (key: string, entry: Entry, error: unknown): void {
    entry.failures++
    if (entry.failures === 5) this.#onError(key, error)
    entry.again = true
    const pauseMs = Math.min(pauseMsFirst * 2 ** (entry.failures - 1), pauseMsMax)
    entry.timer = setTimeout(() => {
      entry.timer = undefined
      if (!entry.running) this.#begin(key, entry)
    }, pauseMs)
  }
}
