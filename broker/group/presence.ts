// What a coordinator knows of a member beside the log: its stream, when it was heard, what it was told.
import type { WireError } from '../../wire/errors.ts'
import type { GroupSessionResponse_Assignment } from '../../wire/messages.ts'
import { toHeld } from './held.ts'
import type { Member, PartitionName } from './records.ts'

/** A member's stream, from rpc/group-session.ts. */
export interface MemberStream {
  readonly attempt: number
  /** The process was a member before. */
  readonly returns: boolean
  /** How long ago the process first asked to join. */
  readonly askingMs: number
  /** False: the member is slow, nothing was sent; `drained` of its desk follows. */
  assign (assignment: GroupSessionResponse_Assignment): boolean
  left (): void
  /** Says why, and ends. */
  fail (error: WireError): void
}

export class Presence {
  stream: MemberStream | undefined
  /** When the process first asked to join, here or elsewhere; -Infinity: it has not said so here. */
  readonly askedAt: number
  /** The last message, or the loss of the stream. */
  heardAt: number
  /** How long it may say nothing from then on. */
  patienceMs: number
  /** Partitions that it has been told to release, with the time. */
  readonly #releasing = new Map<PartitionName, number>()
  /** What it knows to be its own, as far as it was told or has said itself. */
  readonly #known: Map<PartitionName, number>
  #told = ''

  constructor (stream: MemberStream | undefined, heardAt: number, patienceMs: number,
    held: ReadonlyMap<PartitionName, number> = new Map()) {
    this.stream = stream
    this.askedAt = stream === undefined ? -Infinity : heardAt - stream.askingMs
    this.heardAt = heardAt
    this.patienceMs = patienceMs
    this.#known = new Map(held)
  }

  /** True when it was told to release a partition `ms` ago, and has not. */
  holdsOn (now: number, ms: number): boolean {
    return [...this.#releasing.values()].some(since => now - since > ms)
  }

  /**
   * Tells the member what it may read, when that has changed.
   * @param mine of what it holds, what it shall keep
   * @param coming how many more are meant for it
   * @returns what it holds, shall not keep and does not know of: there is nobody to release it
   */
  tell (member: Member, mine: readonly (readonly [PartitionName, number])[], coming: number, now: number,
    topicName: (topicId: string) => string): (readonly [PartitionName, number])[] {
    const told = `${member.epoch} ${coming} ${mine.map(([name, epoch]) => `${name}@${epoch}`).join()}`
    if (this.stream === undefined) return []
    if (this.#told !== told) {
      const assignment = { memberEpoch: member.epoch, coming, partitions: toHeld(mine, topicName) }
      if (!this.stream.assign(assignment)) return []
      this.#told = told
      for (const [name, epoch] of mine) this.#known.set(name, epoch)
    }
    for (const name of this.#known.keys()) if (!member.held.has(name)) this.#known.delete(name)
    const kept = new Set(mine.map(([name]) => name))
    for (const name of this.#releasing.keys()) {
      if (kept.has(name) || !member.held.has(name)) this.#releasing.delete(name)
    }
    if (mine.length === member.held.size) return []
    const away = [...member.held].filter(([name]) => !kept.has(name))
    for (const [name, epoch] of away) {
      if (this.#known.get(name) === epoch && !this.#releasing.has(name)) this.#releasing.set(name, now)
    }
    return away.filter(([name, epoch]) => this.#known.get(name) !== epoch)
  }
}
