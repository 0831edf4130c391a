// Elections under way: asks the live members of the in-sync sets for their ends, many partitions in one
// question, and keeps the answers until the new rows are written.
import type { PartitionKey, PartitionRow, ReplicaEnds } from '../../wire/messages.ts'
import type { Clock, Timer } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import { nobody, partitionKeyText } from '../row.ts'

export interface Wish {
  readonly row: PartitionRow
  /** Brokers to ask: the live members. */
  readonly ask: readonly number[]
  /** Those of them that could lead; undefined for all. What the others say decides nothing by itself. */
  readonly candidates?: readonly number[]
  /** The broker that is to lead again, -1 for whoever is best. */
  readonly preferred: number
  /** The leader goes on leading until its broker may stop: a few partitions at a time. */
  readonly isGentle?: boolean
  /** They are asked again: the highest high watermark of their answers. */
  readonly committedBefore?: number
}

export interface Poll {
  readonly answers: readonly ReplicaEnds[]
  readonly preferred: number
  readonly committedBefore?: number | undefined
}

export interface ElectionsOptions {
  readonly clock: Clock
  /** Puts a question to a broker; false when it has no session. */
  ask (brokerId: number, questionId: number, partitions: readonly PartitionKey[]): boolean
  /** The polls of some partitions are closed: decide. */
  ready (): void
}

interface Entry {
  readonly leaderEpoch: number
  readonly preferred: number
  readonly committedBefore?: number | undefined
  /** Brokers that were asked and have neither answered nor gone. */
  readonly waiting: Set<number>
  readonly candidates?: readonly number[] | undefined
  readonly answers: ReplicaEnds[]
  late: boolean
  /** For a question that is no election. */
  readonly closed?: () => void
}

interface Question {
  readonly brokerId: number
  readonly entries: Map<string, Entry>
}

/** All have answered or cannot any more; or time is up and one that could lead has answered. */
function isClosed ({ waiting, candidates, answers, late }: Entry): boolean {
  return waiting.size === 0 || (late && answers.some(({ identity }) =>
    candidates === undefined || (identity !== undefined && candidates.includes(identity.brokerId))))
}

export class Elections {
  readonly #options: ElectionsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #questions = new Map<number, Question>()
  readonly #timers = new Set<Timer>()
  #wishes: Wish[] = []
  #nextQuestion = 1
  /** Gentle wishes that are granted at each step; how many of this step are left. */
  #perStep = limits.leadershipsFirst
  #left = limits.leadershipsFirst
  #stepping: Timer | undefined
  /** Partitions whose gentle wishes are for a later step. */
  readonly #later = new Set<string>()
  /** The same of departures, which begin with a step, but for a few. */
  #departuresPerStep = 0
  #departuresLeft = 0
  #departuresFew = limits.departuresPerStep
  /** By table. */
  readonly #departuresLater = new Map<string, number>()
  /** When the last step began; nobody waited then. */
  #steppedAt = 0
  #isResting = true

  constructor (options: ElectionsOptions) {
    this.#options = options
  }

  /**
   * Asks for a poll unless one is under way for this leader epoch. True while its answers are due any
   * moment: one write with what they lead to is better than one before and one after.
   */
  want (wish: Wish): boolean {
    const key = keyOf(wish.row)
    const entry = this.#entries.get(key)
    // A need outranks a preference.
    if (entry?.leaderEpoch === wish.row.leaderEpoch &&
      (entry.preferred === wish.preferred || wish.preferred !== nobody)) {
      return !entry.late && !isClosed(entry)
    }
    if (wish.isGentle === true && !this.#isItsTurn(key)) return false
    this.#wishes.push(wish)
    // Soon: the wishes of all tables that are looked at now go out together.
    if (this.#wishes.length === 1) this.#options.clock.defer(() => { this.#begin() })
    return true
  }

  /**
   * A partition takes writes again when the new leaders and followers of all that move with it have found each
   * other: the fewer at once, the shorter each of them stands still.
   */
  #isItsTurn (key: string): boolean {
    this.#startStep()
    if (this.#left === 0) {
      this.#later.add(key)
      return false
    }
    this.#left -= 1
    return true
  }

  /**
   * Of so many in-sync sets of a table that brokers on their way out are to leave: how many may be written now. Nobody
   * waits for them, but every broker has work with them: leaderships go first, and few with the last of these.
   */
  departures (table: string, wanted: number): number {
    this.#departuresLater.delete(table)
    if (wanted === 0) return 0
    this.#startStep()
    if (wanted <= this.#departuresFew && this.#later.size === 0) {
      this.#departuresFew -= wanted
      return wanted
    }
    const granted = Math.min(wanted, this.#departuresLeft)
    this.#departuresLeft -= granted
    if (wanted > granted) this.#departuresLater.set(table, wanted - granted)
    return granted
  }

  #startStep (): void {
    if (this.#stepping !== undefined) return
    const { clock } = this.#options
    // The stop that these steps were for has ended by then.
    if (this.#isResting || clock.now() - this.#steppedAt > limits.stopMsMax) this.#grant(0, 0)
    this.#stepping = clock.setTimer(limits.leadershipStepMs, () => { this.#step() })
  }

  #step (): void {
    this.#stepping = undefined
    const leaderships = this.#later.size
    const departures = [...this.#departuresLater.values()].reduce((sum, count) => sum + count, 0)
    this.#later.clear()
    this.#departuresLater.clear()
    this.#grant(leaderships, departures)
    if (leaderships + departures > 0) this.#options.ready()
  }

  /** What is granted is taken with the next write of a table: when these are slow a step is longer, and has more. */
  #grant (leaderships: number, departures: number): void {
    const now = this.#options.clock.now()
    const steps = Math.max(1, Math.floor((now - this.#steppedAt) / limits.leadershipStepMs))
    this.#steppedAt = now
    this.#isResting = leaderships + departures === 0
    this.#perStep = leaderships === 0 ? limits.leadershipsFirst
      : Math.max(this.#perStep, limits.leadershipsPerStep, Math.ceil(leaderships / limits.leadershipStepsMax))
    this.#departuresPerStep = departures === 0 ? 0
      : Math.max(this.#departuresPerStep, limits.departuresPerStep, Math.ceil(departures / limits.departureStepsMax))
    this.#left = leaderships === 0 ? this.#perStep : this.#perStep * steps
    this.#departuresLeft = leaderships > 0 ? 0 : this.#departuresPerStep * steps
    this.#departuresFew = limits.departuresPerStep
  }

  #begin (): void {
    const wishes = this.#wishes;
    this.#wishes = []
    const begun: Entry[] = []
    const byBroker = new Map<number, Map<string, Entry>>()
    const keys = new Map<Entry, PartitionKey>()
    for (const { row, ask, candidates, preferred, committedBefore } of wishes) {
      const { topicId, partition, leaderEpoch } = row
      const entry: Entry = {
        leaderEpoch, preferred, committedBefore, candidates, waiting: new Set(ask), answers: [], late: false
      }
      this.#entries.set(keyOf(row), entry)
      keys.set(entry, { topicId, partition })
      begun.push(entry)
      for (const brokerId of ask) {
        const entries = byBroker.get(brokerId) ?? new Map<string, Entry>()
        byBroker.set(brokerId, entries.set(keyOf(row), entry))
      }
    }
    for (const [brokerId, entries] of [...byBroker].sort(([a], [b]) => a - b)) this.#put(brokerId, entries, keys)
    const timer = this.#options.clock.setTimer(limits.electionAnswerMs, () => {
      this.#timers.delete(timer)
      for (const entry of begun) entry.late = true
      // What was held back for the answers goes on without them.
      this.#options.ready()
    })
    this.#timers.add(timer)
    if (begun.some(isClosed)) this.#options.ready()
  }

  answer (brokerId: number, questionId: number, ends: readonly ReplicaEnds[]): void {
    const question = this.#questions.get(questionId)
    if (question?.brokerId !== brokerId) return
    this.#questions.delete(questionId)
    for (const answer of ends) {
      if (answer.identity?.brokerId === brokerId) question.entries.get(keyOf(answer))?.answers.push(answer)
    }
    this.#answered(question)
  }

  /** The broker's session ended: it will not answer. */
  gone (brokerId: number): void {
    for (const [questionId, question] of this.#questions) {
      if (question.brokerId !== brokerId) continue
      this.#questions.delete(questionId)
      this.#answered(question)
    }
  }

  /** What these brokers say of a partition; of those that answer soon. Elects nobody. */
  inquire (key: PartitionKey, brokerIds: readonly number[]): Promise<ReplicaEnds[]> {
    return new Promise(resolve => {
      const close = (): void => {
        timer.cancel()
        this.#timers.delete(timer)
        resolve(entry.answers)
      }
      const entry: Entry = {
        leaderEpoch: 0, preferred: nobody, waiting: new Set(brokerIds), answers: [], late: false, closed: close
      }
      const timer = this.#options.clock.setTimer(limits.sessionTimeoutMs, close)
      this.#timers.add(timer)
      for (const brokerId of brokerIds) this.#put(brokerId, new Map([[keyOf(key), entry]]), new Map([[entry, key]]))
      if (isClosed(entry)) close()
    })
  }

  /** The closed poll for a row, undefined while there is none. */
  poll (row: PartitionRow): Poll | undefined {
    const entry = this.#entries.get(keyOf(row))
    return entry?.leaderEpoch === row.leaderEpoch && isClosed(entry) ? entry : undefined
  }

  /** The poll has served, whatever came of it. */
  forget (key: PartitionKey): void {
    this.#entries.delete(keyOf(key))
  }

  stop (): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#stepping?.cancel()
    this.#wishes = []
    this.#questions.clear()
    this.#entries.clear()
  }

  #answered (question: Question): void {
    let closed = false
    for (const entry of question.entries.values()) {
      entry.waiting.delete(question.brokerId)
      if (!isClosed(entry)) continue
      closed ||= entry.closed === undefined
      entry.closed?.()
    }
    if (closed) this.#options.ready()
  }

  #put (brokerId: number, entries: Map<string, Entry>, keys: Map<Entry, PartitionKey>): void {
    const all = [...entries]
    for (let from = 0; from < all.length; from += limits.rowsPerPushMax) {
      const part = new Map(all.slice(from, from + limits.rowsPerPushMax))
      const questionId = this.#nextQuestion++
      const partitions = [...part.values()].flatMap(entry => keys.get(entry) ?? [])
      if (this.#options.ask(brokerId, questionId, partitions)) {
        this.#questions.set(questionId, { brokerId, entries: part })
      } else {
        for (const entry of part.values()) entry.waiting.delete(brokerId)
      }
    }
  }
}

function keyOf (key: PartitionKey): string {
  return partitionKeyText(key.topicId, key.partition)
}
