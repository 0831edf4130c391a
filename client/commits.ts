// Commits of one consumer: one at a time, so that an older one never overtakes a newer one.
import type { Timer } from '../wire/ports.ts'
import { isAnothers } from './committable.ts'
import { toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { ClientPorts } from './metadata.ts'
import type { Committer, Offsets, PartitionOffset, Patience } from './offsets.ts'

export class Commits {
  readonly group: string
  readonly #ports: ClientPorts
  readonly #offsets: Offsets
  /** Undefined: a reader that chose its partitions itself. */
  readonly #committer: () => Committer | undefined
  #sequence = 0
  #last: Promise<void> = Promise.resolve()
  #timer: Timer | undefined

  constructor (ports: ClientPorts, offsets: Offsets, group: string, committer: () => Committer | undefined) {
    this.#ports = ports
    this.#offsets = offsets
    this.group = group
    this.#committer = committer
  }

  /**
   * Commits what `choose` gives when its turn comes. Resolves when it is durable; rejects with FENCED_MEMBER
   * when some of it was not the member's any more.
   */
  commit (choose: () => readonly PartitionOffset[], committed: (offsets: readonly PartitionOffset[]) => void,
    patience: Patience): Promise<void> {
    const mine = this.#last.then(async () => {
      const offsets = choose()
      if (offsets.length === 0) return
      const by = this.#committer()
      await this.#told(offsets.length, async () => {
        const fenced = await this.#offsets.commit(this.group, offsets, patience, by, ++this.#sequence)
        committed(offsets.filter(offset => !fenced.includes(offset)))
        if (fenced[0] !== undefined) throw isAnothers(fenced[0])
      })
    })
    this.#last = mine.catch(() => { /* told to the caller; the next commit does not depend on it */ })
    return mine
  }

  async #told (partitions: number, commit: () => Promise<void>): Promise<void> {
    const { clock, tell } = this.#ports
    const begunAt = clock.now()
    let error: MillraceError | undefined
    try {
      await commit()
    } catch (failure) {
      error = toMillraceError(failure)
      throw failure
    } finally {
      tell('offsets.committed', { group: this.group, partitions, durationMs: clock.now() - begunAt, error })
    }
  }

  /** Runs `commit` every so often, the next time counted from its end. */
  every (intervalMs: number, commit: () => Promise<void>, failed: (error: MillraceError) => void): void {
    this.#timer = this.#ports.clock.setTimer(intervalMs, () => {
      commit().catch((error: unknown) => {
        const failure = toMillraceError(error)
        // What passes by itself is tried again at the next interval; the offsets are still there. Of what a
        // member has lost the coordinator tells it.
        if (!failure.retriable && failure.code !== 'FENCED_MEMBER') failed(failure)
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
