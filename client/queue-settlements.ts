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

export class Settlements {
  readonly #ports: ClientPorts
  readonly #say: (request: Sent<QueueRequest>) => void
  #outbox: { readonly what: Settled, readonly waiting: Waiting }[] = []
  readonly #unanswered = new Map<number, { readonly message: Message, readonly waiting: readonly Waiting[] }>()
  #sequence = 0
  #idle: (() => void)[] = []

  constructor (ports: ClientPorts, say: (request: Sent<QueueRequest>) => void) {
    this.#ports = ports
    this.#say = say
  }

  /**
   * Resolves when it is durable; rejects with LEASE_LOST, TIMED_OUT, CANCELLED.
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
      const late = `group does not answer (waited ${timeoutMs / 1000} s); it is not known whether the record is settled`
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
      this.#unanswered.set(message.sequence, { message, waiting })
      this.#say({ settle: message })
    }
  }

  /** The stream is another one. */
  sayAgain (): void {
    for (const { message } of this.#unanswered.values()) this.#say({ settle: message })
  }

  answered (sequence: number, error: string): void {
    const settled = this.#unanswered.get(sequence)
    this.#unanswered.delete(sequence)
    for (const { ended, resolve, reject } of settled?.waiting ?? []) {
      ended()
      if (error === '') resolve()
      else reject(errorOf('LEASE_LOST'))
    }
    this.#wake()
  }

  /** No answer will come. */
  fail (error: MillraceError): void {
    const all = [...this.#unanswered.values()].flatMap(({ waiting }) => waiting)
    this.#unanswered.clear()
    for (const { waiting } of this.#outbox) all.push(waiting)
    this.#outbox = []
    for (const { ended, reject } of all) {
      ended()
      reject(error)
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
