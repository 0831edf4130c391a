// The records that a member of a queue group has: granted, on their way from their leaders, handed out, settled.
import type { QueueOutcome, QueueRequest, QueueResponse_Grant, Sent } from '../wire/messages.ts'
import { fromRanges } from '../wire/ranges.ts'
import type { CallOptions } from './call-options.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import { errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { Fifo } from './fifo.ts'
import { queueInFlightMax, queueLeasesLostMax, queueWaitMs } from './limits.ts'
import type { ClientPorts } from './metadata.ts'
import type { QueuePlace } from './queue-place.ts'
import type { Settlements } from './queue-settlements.ts'

/** A record that is this member's. */
export interface Holding {
  readonly place: QueuePlace
  readonly offset: number
  readonly lease: number
  readonly deliveries: number
  /** Set: it is to be written there, and not to be handled. */
  readonly burial: Burial | undefined
  /** ms; its time to be settled in begins here. */
  since: number
  state: 'coming' | 'ready' | 'out' | 'settled' | 'lost'
  record: ConsumerRecord | undefined
}

export interface Burial {
  readonly topic: string
  readonly reason: string
  /** rejected, or deliveries. */
  readonly cause: string
}

export interface HandHost {
  readonly ports: ClientPorts
  readonly settlements: Settlements
  say (request: Sent<QueueRequest>): void
  bury (holding: Holding, burial: Burial): void
}

export class Hand {
  readonly #host: HandHost
  readonly #processingMs: number
  readonly #holdings = new Map<QueuePlace, Map<number, Holding>>()
  readonly #ready = new Fifo<Holding>()
  /** By lease: what was handed out, and then lost by the word of a coordinator. */
  readonly #lost = new Map<number, Set<number>>()
  #wakes: (() => void)[] = []
  /** Records that may be here at once; 0 while nobody asks for one. */
  #capacity = 0
  /** Those that the coordinator may give beside those that are here. */
  #credit = 0
  #count = 0
  #topping = false
  /** Records that may wait here behind those that are being handled: fewer while those take long. */
  #ahead = 0
  /** What waited here went back: nothing more until one that was handed out is settled. */
  #isSlow = false
  #onHold = false

  constructor (host: HandHost, processingMs: number) {
    this.#host = host
    this.#processingMs = processingMs
  }

  get isAsking (): boolean { return this.#capacity > 0 }

  /** So many records are wanted here; with 0 those that nobody has seen go back. */
  ask (capacity: number): void {
    this.#capacity = Math.min(capacity, queueInFlightMax)
    this.#ahead = this.#capacity
    this.#isSlow = false
    if (capacity > 0) this.#topUp()
    else this.giveBack()
  }

  giveBack (): void {
    for (const holding of this.#all()) {
      const isUnseen = holding.state === 'coming' || holding.state === 'ready'
      if (holding.burial === undefined && isUnseen) this.#return(holding)
    }
  }

  #return (holding: Holding): void {
    this.#settleLater(holding, 'QUEUE_OUTCOME_RETURNED', '')
  }

  /** Nobody waits for the answer: whatever becomes of it, the coordinator knows. */
  #settleLater (holding: Holding, outcome: QueueOutcome, reason: string): void {
    this.settle(holding, outcome, reason).catch(() => {})
  }

  * #all (): Generator<Holding> {
    for (const holdings of [...this.#holdings.values()]) yield * [...holdings.values()]
  }

  // Granted

  grant (place: QueuePlace, { lease, records: ranges, deliveries, deadLetterTopic, reasons, causes }:
  QueueResponse_Grant): void {
    const mine = this.#holdings.get(place) ?? new Map<number, Holding>()
    this.#holdings.set(place, mine)
    const fresh: number[] = []
    const again: number[] = []
    const since = this.#host.ports.clock.now()
    for (const [index, offset] of (fromRanges(ranges, queueInFlightMax) ?? []).entries()) {
      const before = mine.get(offset)
      // Told again on another stream.
      if (before?.lease === lease) continue
      if (before !== undefined) {
        this.#lose(before)
        // What was said of it may not be answered yet.
        this.#remove(before)
      }
      const burial = deadLetterTopic === '' ? undefined
        : { topic: deadLetterTopic, reason: reasons[index] ?? '', cause: causes[index] ?? '' }
      mine.set(offset, {
        place, offset, lease, deliveries: deliveries[index] ?? 1, burial, since, state: 'coming', record: undefined
      })
      this.#count++
      // Whoever said that it was lost did not get that into the log. It was handled, or is: another delivery counts.
      if (this.#lost.get(lease)?.has(offset) === true) again.push(offset)
      else fresh.push(offset)
      if (burial === undefined) this.#credit = Math.max(0, this.#credit - 1)
    }
    if (this.isAsking || deadLetterTopic !== '') place.want(fresh)
    else for (const offset of fresh) this.#return(mine.get(offset)!)
    for (const offset of again) this.#settleLater(mine.get(offset)!, 'QUEUE_OUTCOME_RELEASED', 'its member had lost it')
  }

  arrived (place: QueuePlace, record: ConsumerRecord): void {
    const holding = this.#holdings.get(place)?.get(record.offset)
    if (holding?.state !== 'coming') return
    holding.record = record
    holding.state = 'ready'
    holding.since = this.#host.ports.clock.now()
    if (holding.burial !== undefined) {
      this.#host.bury(holding, holding.burial)
      return
    }
    this.#ready.push(holding)
    this.wake()
  }

  gone (place: QueuePlace, offset: number): void {
    const holding = this.#holdings.get(place)?.get(offset)
    if (holding?.state === 'coming') this.#settleLater(holding, 'QUEUE_OUTCOME_GONE', '')
  }

  // Handed out

  /** Nothing is handed out: others may have the same by now. */
  hold (is: boolean): void {
    this.#onHold = is
    this.wake()
  }

  /** Undefined when none is here. */
  take (): Holding | undefined {
    if (this.#onHold) return undefined
    for (let holding = this.#ready.shift(); holding !== undefined; holding = this.#ready.shift()) {
      if (holding.state !== 'ready') continue
      holding.state = 'out'
      holding.since = this.#host.ports.clock.now()
      return holding
    }
    return undefined
  }

  /** Resolves when there may be one, or the signal aborts. */
  changed (signal: AbortSignal | undefined): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        signal?.removeEventListener('abort', done)
        resolve()
      }
      this.#wakes.push(done)
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  wake (): void {
    const wakes = this.#wakes
    this.#wakes = []
    for (const wake of wakes) wake()
  }

  // Settled

  settle (holding: Holding, outcome: QueueOutcome, reason: string, delayMs = 0, options: CallOptions = {}):
  Promise<void> {
    const { place, offset, lease } = holding
    if (holding.state === 'lost') return Promise.reject(errorOf('LEASE_LOST', undefined, place))
    if (holding.state === 'settled') {
      const what = `${place.topic}/${place.partition} at ${offset}`
      return Promise.reject(errorOf('INVALID_REQUEST', `${what} is settled already`))
    }
    if (holding.state === 'out') this.#quicken()
    holding.state = 'settled'
    place.unwant(offset)
    const { topicId, partition } = place
    const what = { topicId, partition, lease, offset, outcome, reason, delayMs }
    // It stays here until the coordinator has answered: who is told of it once more knows that it has been handled.
    return this.#host.settlements.settle(what, options, () => { this.#remove(holding) })
  }

  #quicken (): void {
    if (!this.#isSlow) this.#ahead = Math.min(this.#capacity, 2 * this.#ahead)
    this.#isSlow = false
  }

  #remove (holding: Holding): void {
    const mine = this.#holdings.get(holding.place)
    if (mine?.get(holding.offset) !== holding) return
    mine.delete(holding.offset)
    this.#count--
    this.#topUp()
  }

  /** It is another's by now. */
  #lose (holding: Holding): void {
    if (holding.state === 'settled') return
    this.#remember(holding)
    holding.state = 'lost'
    holding.place.unwant(holding.offset)
    this.#remove(holding)
  }

  #remember ({ state, lease, offset }: Holding): void {
    if (state === 'coming' || state === 'ready') return
    const offsets = this.#lost.get(lease) ?? new Set<number>()
    this.#lost.set(lease, offsets)
    offsets.add(offset)
    for (const oldest of this.#lost.keys()) {
      if (this.#lost.size <= queueLeasesLostMax) return
      this.#lost.delete(oldest)
    }
  }

  lapsed (lease: number): void {
    for (const holding of this.#all()) if (holding.lease === lease) this.#lose(holding)
  }

  loseAll (): void {
    this.#credit = 0
    for (const holding of this.#all()) {
      // It is not known whether what was said of it counts.
      if (holding.state === 'settled') this.#remember(holding)
      this.#lose(holding)
    }
  }

  // Room for more

  /** The stream is another one, which begins without credit. */
  begin (): void {
    this.#credit = 0
    this.#topUp()
  }

  /** A quarter of the room at a time, so that not every record is a message. */
  #topUp (): void {
    if (this.#topping || this.#capacity === 0) return
    this.#topping = true
    this.#host.ports.clock.defer(() => {
      this.#topping = false
      let out = 0
      for (const { state } of this.#all()) if (state === 'out') out++
      // Those that it waited for were lost, or nothing was handed out for another reason: no settlement will come.
      if (out === 0) this.#isSlow = false
      if (this.#capacity === 0 || this.#isSlow) return
      const room = Math.min(this.#capacity, out + this.#ahead)
      const records = room - this.#count - this.#credit
      if (records < Math.max(1, Math.floor(room / 4))) return
      this.#credit += records
      this.#host.say({ credit: { records } })
    })
  }

  // Time

  /** Gives back what waits here for too long, and what was handed out and not settled. */
  tick (): void {
    const now = this.#host.ports.clock.now()
    for (const holding of this.#all()) {
      const { state, since, burial } = holding
      if (state === 'out' && now - since > this.#processingMs) this.#giveUp(holding)
      if (state !== 'ready' || burial !== undefined || now - since < queueWaitMs) continue
      if (!this.#isSlow) this.#ahead = Math.max(1, Math.floor(this.#ahead / 2))
      this.#isSlow = true
      this.#return(holding)
    }
  }

  renew (): void {
    const leases = new Set<number>()
    for (const { lease, state } of this.#all()) if (state !== 'lost') leases.add(lease)
    if (leases.size > 0) this.#host.say({ renew: { leases: [...leases] } })
  }

  #giveUp (holding: Holding): void {
    this.#settleLater(holding, 'QUEUE_OUTCOME_RELEASED', `not settled within ${this.#processingMs / 1000} s`)
    holding.state = 'lost'
  }

  close (error: MillraceError): void {
    this.#capacity = 0
    this.#host.settlements.close(error)
    this.loseAll()
    this.wake()
  }
}
