// Commits of one consumer: one at a time, so that an older one never overtakes a newer one.
import type { Timer } from '../wire/ports.ts'
import { toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { ClientPorts } from './metadata.ts'
import type { Offsets, PartitionOffset, Patience } from './offsets.ts'

export class Commits {
  readonly group: string
  readonly #ports: ClientPorts
  readonly #offsets: Offsets
  #last: Promise<void> = Promise.resolve()
  #timer: Timer | undefined

  constructor (ports: ClientPorts, offsets: Offsets, group: string) {
    this.#ports = ports
    this.#offsets = offsets
    this.group = group
  }

  /** Commits what `choose` gives when its turn comes. Resolves when it is durable. */
  commit (choose: () => readonly PartitionOffset[], committed: (offsets: readonly PartitionOffset[]) => void,
    patience: Patience): Promise<void> {
    const mine = this.#last.then(async () => {
      const offsets = choose()
      if (offsets.length === 0) return
      await this.#offsets.commit(this.group, offsets, patience)
      committed(offsets)
    })
    this.#last = mine.catch(() => { /* told to the caller; the next commit does not depend on it */ })
    return mine
  }

  /** Runs `commit` every so often, the next time counted from its end. */
  every (intervalMs: number, commit: () => Promise<void>, failed: (error: MillraceError) => void): void {
    this.#timer = this.#ports.clock.setTimer(intervalMs, () => {
      commit().catch((error: unknown) => {
        const failure = toMillraceError(error)
        // What passes by itself is tried again at the next interval; the offsets are still there.
        if (!failure.retriable) failed(failure)
      }).finally(() => {
        if (this.#timer !== undefined) this.every(intervalMs, commit, failed)
      })
    })
  }

  stop (): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
