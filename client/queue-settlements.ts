// What a member of a queue group says of its records, until the coordinator has answered: gathered for a moment, said
// again on every new stream, since it is not known what became of what was said on the one before.
import type { QueueOutcome, QueueRequest, QueueRequest_Settle, Sent } from '../wire/messages.ts'
import { toRanges } from '../wire/ranges.ts'
import type { CallOptions } from './call-options.ts'
import { patience } from './call-options.ts'
import { errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { ClientPorts } from './metadata.ts'
import { cancelled } from './waiting.ts'

export interface Settled {
  readonly topicId: string
  readonly partition: number
  readonly lease: number
  readonly offset: number
  readonly outcome: QueueOutcome
  readonly reason: string
  readonly delayMs: number
}

interface Waiting {
  /** Nothing more is said of it: it was answered, or never will be. */
  readonly ended: () => void
  readonly resolve: () => void
  readonly reject: (error: MillraceError) => void
}

interface Message extends Sent<QueueRequest_Settle> {
  readonly sequence: number
}

interface Unanswered {
  readonly message: Message
  readonly waiting: readonly Waiting[]
  /** On more than one stream. */
  isSaidAgain: boolean
}

const unknown = 'it is not known whether the record is settled'

export class Settlements {
  readonly #ports: ClientPorts
  readonly #say: (request: Sent<QueueRequest>) => void
  #outbox: { readonly what: Settled, readonly waiting: Waiting }[] = []
  readonly #unanswered = new Map<number, Unanswered>()
  #sequence = 0
  #idle: (() => void)[] = []

  constructor (ports: ClientPorts, say: (request: Sent<QueueRequest>) => void) {
    this.#ports = ports
    this.#say = say
  }

  /**
   * Resolves when it is durable; rejects with LEASE_LOST (it does not count), TIMED_OUT, CANCELLED (it may).
   * @param ended is called when nothing more is said of it, which may be later: who waits no more takes nothing back
   */
  settle (what: Settled, options: CallOptions, ended: () => void): Promise<void> {
    const { timeoutMs, signal } = patience(options)
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        ended()
        reject(cancelled())
        return
      }
      const late = `group does not answer (waited ${timeoutMs / 1000} s); ${unknown}`
      const timer = this.#ports.clock.setTimer(timeoutMs, () => { end(() => { reject(errorOf('TIMED_OUT', late)) }) })
      const aborted = (): void => { end(() => { reject(cancelled()) }) }
      const end = (finish: () => void): void => {
        timer.cancel()
        signal?.removeEventListener('abort', aborted)
        finish()
      }
      signal?.addEventListener('abort', aborted, { once: true })
      const waiting = {
        ended, resolve: () => { end(resolve) }, reject: (error: Error) => { end(() => { reject(error) }) }
      }
      if (this.#outbox.length === 0) this.#ports.clock.defer(() => { this.#flush() })
      this.#outbox.push({ what, waiting })
    })
  }

  #flush (): void {
    const messages = new Map<string, { settled: Settled, offsets: number[], waiting: Waiting[] }>()
    for (const { what, waiting } of this.#outbox) {
      const { topicId, partition, lease, outcome, reason, delayMs } = what
      const key = JSON.stringify([topicId, partition, lease, outcome, reason, delayMs])
      const message = messages.get(key) ?? { settled: what, offsets: [], waiting: [] }
      message.offsets.push(what.offset)
      message.waiting.push(waiting)
      messages.set(key, message)
    }
    this.#outbox = []
    for (const { settled: { topicId, partition, lease, outcome, reason, delayMs }, offsets, waiting }
      of messages.values()) {
      const records = toRanges(offsets.sort((a, b) => a - b))
      const message = { sequence: ++this.#sequence, topicId, partition, lease, records, outcome, reason, delayMs }
      this.#unanswered.set(message.sequence, { message, waiting, isSaidAgain: false })
      this.#say({ settle: message })
    }
  }

  /** The stream is another one. */
  sayAgain (): void {
    for (const settled of this.#unanswered.values()) {
      settled.isSaidAgain = true
      this.#say({ settle: settled.message })
    }
  }

  answered (sequence: number, error: string): void {
    const settled = this.#unanswered.get(sequence)
    if (settled === undefined) return
    this.#unanswered.delete(sequence)
    const { message: { outcome }, waiting, isSaidAgain } = settled
    // What was released or rejected when it was said first is not this member's when it is said again.
    const isRefused = !isSaidAgain || outcome === 'QUEUE_OUTCOME_ACKNOWLEDGED'
    for (const { ended, resolve, reject } of waiting) {
      ended()
      if (error === '') resolve()
      else reject(isRefused ? errorOf('LEASE_LOST') : errorOf('TIMED_OUT', `it had to be said again; ${unknown}`))
    }
    this.#wake()
  }

  /** The coordinator knows this member no more. What was said to it before that may count; the rest never will. */
  fenced (why: MillraceError): void {
    const { message } = why
    this.#fail(errorOf('TIMED_OUT', `no answer will come (${message}); ${unknown}`), errorOf('LEASE_LOST', message))
  }

  /** Nothing more is said, and no answer is heard. */
  close (error: MillraceError): void {
    this.#fail(error, error)
  }

  #fail (said: MillraceError, unsaid: MillraceError): void {
    const all = [...this.#unanswered.values()].flatMap(({ waiting }) => waiting)
    this.#unanswered.clear()
    const outbox = this.#outbox
    this.#outbox = []
    for (const { ended, reject } of all) {
      ended()
      reject(said)
    }
    for (const { waiting: { ended, reject } } of outbox) {
      ended()
      reject(unsaid)
    }
    this.#wake()
  }

  #wake (): void {
    if (this.#unanswered.size > 0) return
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }

  /** Resolves when everything is answered. */
  async idle (): Promise<void> {
    if (this.#outbox.length > 0) this.#flush()
    if (this.#unanswered.size > 0) await new Promise<void>(resolve => { this.#idle.push(resolve) })
  }
}
