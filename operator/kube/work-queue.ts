// client-go's work queue (k8s.io/client-go/util/workqueue): a key that waits is there once, a key that
// is being worked on is never worked on twice at once, and is done again if it was added meanwhile.
import type { Clock, Timer } from '../../wire/ports.ts'

const backoffMsMin = 5
const backoffMsMax = 1_000_000

export class WorkQueue {
  readonly #clock: Clock
  /** Wants work: waiting, or to be done again once its worker is done. */
  readonly #dirty = new Set<string>()
  readonly #processing = new Set<string>()
  /** Dirty and not processing, in order of arrival. */
  readonly #waiting = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #delayed = new Map<string, { readonly timer: Timer, readonly at: number }>()
  #work: ((key: string) => Promise<void>) | undefined
  #concurrency = 0
  #stopped = false
  #drained: (() => void) | undefined

  constructor (clock: Clock) {
    this.#clock = clock
  }

  get depth (): number { return this.#waiting.size }
  /** Nothing waits and nothing is worked on; what is delayed does not count. */
  get isIdle (): boolean { return this.#waiting.size === 0 && this.#processing.size === 0 }

  add (key: string): void {
    if (this.#stopped) return
    this.#dirty.add(key)
    if (this.#processing.has(key)) return
    this.#waiting.add(key)
    this.#pump()
  }

  /** Adds the key `afterMs` from now; the earliest of several wins. */
  addAfter (key: string, afterMs: number): void {
    if (this.#stopped) return
    const at = this.#clock.now() + afterMs
    const earlier = this.#delayed.get(key)
    if (earlier !== undefined && earlier.at <= at) return
    earlier?.timer.cancel()
    const timer = this.#clock.setTimer(afterMs, () => {
      this.#delayed.delete(key)
      this.add(key)
    })
    this.#delayed.set(key, { timer, at })
  }

  /** Adds the key after 5 ms, 10 ms, ... 1000 s, doubling until `forget`. */
  addRateLimited (key: string): void {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    this.addAfter(key, Math.min(backoffMsMin * 2 ** Math.min(failures, 30), backoffMsMax))
  }

  /** The key succeeded: its next failure waits 5 ms again. */
  forget (key: string): void {
    this.#failures.delete(key)
  }

  /** What they failed for is over: keys that wait because they failed wait no longer. */
  retryNow (): void {
    for (const key of [...this.#failures.keys()]) {
      this.#failures.delete(key)
      const delayed = this.#delayed.get(key)
      if (delayed === undefined) continue
      delayed.timer.cancel()
      this.#delayed.delete(key)
      this.add(key)
    }
  }

  failures (key: string): number {
    return this.#failures.get(key) ?? 0
  }

  /** Begins to work, `concurrency` keys at a time. `work` handles its own errors: it never rejects. */
  start (concurrency: number, work: (key: string) => Promise<void>): void {
    this.#work = work
    this.#concurrency = concurrency
    this.#pump()
  }

  /** Takes no more, drops what waits, resolves when the last worker is done. */
  async stop (): Promise<void> {
    this.#stopped = true
    for (const { timer } of this.#delayed.values()) timer.cancel()
    this.#delayed.clear()
    this.#waiting.clear()
    this.#dirty.clear()
    if (this.#processing.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained = resolve
    await promise
  }

  #pump (): void {
    while (this.#work !== undefined && this.#processing.size < this.#concurrency) {
      const next = this.#waiting.values().next()
      if (next.done === true) return
      this.#waiting.delete(next.value)
      this.#dirty.delete(next.value)
      this.#processing.add(next.value)
      void this.#process(next.value, this.#work)
    }
  }

  async #process (key: string, work: (key: string) => Promise<void>): Promise<void> {
    try {
      await work(key)
    } finally {
      this.#processing.delete(key)
      if (this.#dirty.has(key)) this.#waiting.add(key)
      if (this.#processing.size === 0) this.#drained?.()
      this.#pump()
    }
  }
}
