// Finds where readers begin: offsets by name, by count from the end or by time, asked of the leaders.
import { WireError } from '../wire/errors.ts'
import type { Timer } from '../wire/ports.ts'
import { Backoff } from './backoff.ts'
import { toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { ClientPorts } from './metadata.ts'
import type { OffsetQuery, Offsets } from './offsets.ts'
import type { PartitionReader } from './partition-reader.ts'

export class Starts {
  readonly #ports: ClientPorts
  readonly #offsets: Offsets
  readonly #failed: (error: MillraceError) => void
  readonly #unresolved = new Set<PartitionReader>()
  readonly #backoff: Backoff
  #asking = false
  #timer: Timer | undefined
  #stopped = false

  constructor (ports: ClientPorts, offsets: Offsets, failed: (error: MillraceError) => void) {
    this.#ports = ports
    this.#offsets = offsets
    this.#failed = failed
    this.#backoff = new Backoff(ports.rng)
  }

  /** Calls `reader.startAt` as soon as the reader's `from` is an offset; tries for ever. */
  add (reader: PartitionReader): void {
    if (typeof reader.from === 'number' && reader.from >= 0) {
      reader.startAt(reader.from)
      return
    }
    this.#unresolved.add(reader)
    if (this.#timer === undefined && !this.#asking) this.#later(0)
  }

  remove (reader: PartitionReader): void {
    this.#unresolved.delete(reader)
  }

  stop (): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #later (afterMs: number): void {
    this.#timer = this.#ports.clock.setTimer(afterMs, () => {
      this.#timer = undefined
      this.#asking = true
      this.#ask().catch((error: unknown) => { this.#failed(toMillraceError(error)) }).finally(() => {
        this.#asking = false
        if (this.#unresolved.size > 0 && !this.#stopped) this.#later(this.#backoff.next())
      })
    })
  }

  async #ask (): Promise<void> {
    const readers = [...this.#unresolved]
    const generations = readers.map(({ generation }) => generation)
    const queries = readers.map(queriesOf)
    const answers = await this.#offsets.listOnce(queries.flat())
    if (this.#stopped) return
    let at = 0
    for (const [index, reader] of readers.entries()) {
      const mine = answers.slice(at, at += queries[index]!.length)
      // It may have been sought elsewhere, which is asked for next, or unassigned, in the meantime.
      if (!this.#unresolved.has(reader) || reader.generation !== generations[index]) continue
      const error = mine.find(answer => answer instanceof WireError)
      if (error !== undefined) {
        // A coordinator may know a new partition before others do.
        if (!reader.isMember && (error.code === 'UNKNOWN_PARTITION' || error.code === 'UNKNOWN_TOPIC')) {
          this.#failed(toMillraceError(error, reader.place))
        }
        reader.startFailed(error)
        continue
      }
      this.#unresolved.delete(reader)
      this.#backoff.reset()
      const offsets = mine.map(answer => answer instanceof WireError ? -1 : answer.offset)
      reader.startAt(startOf(reader, offsets))
    }
  }
}

function queriesOf (reader: PartitionReader): OffsetQuery[] {
  const { from, place } = reader
  if (typeof from === 'number') return [{ ...place, at: 'start' }, { ...place, at: 'end' }]
  return [{ ...place, at: from }]
}

function startOf (reader: PartitionReader, offsets: readonly number[]): number {
  const first = offsets[0]!
  return typeof reader.from === 'number' ? Math.max(first, offsets[1]! + reader.from) : first
}
