// A queue group: the real client library, each worker in a process of its own. They come, go, die and stand still,
// beside everything that the nemesis does to brokers and coordinators; they fail at records, and reject some.
//
// What they are given and what became of it goes into the history, and at the end so do the dead letters: ../check/
// queues.ts judges. Here it is only known whether the work is done.
import { MillraceError } from '../../client/errors.ts'
import { deadLetterPrefix } from '../../client/queue-burials.ts'
import type { Queue } from '../../client/queue.ts'
import type { QueueRecord } from '../../client/queue-options.ts'
import type { Anomaly } from '../check/anomaly.ts'
import type { DeadLetterOperation, DeliveryOperation, Key, Operation, Settlement } from '../check/history.ts'
import { checkQueues } from '../check/queues.ts'
import type { ClientWorld } from './producer-client.ts'
import { makeClient, workMs } from './producer-client.ts'
import { QueueWork } from './queue-work.ts'
import type { SimRng } from './rng.ts'
import type { SimProcess } from './scheduler.ts'

const group = 'workers'
const decoder = new TextDecoder()

/** What all workers say of the group. */
interface GroupSettings {
  readonly maxDeliveries: number
  readonly deadLetterTopic: string | undefined
  readonly orderedBy: 'key' | undefined
}

function text (bytes: Uint8Array | null): string { return decoder.decode(bytes ?? undefined) }

/** What the producer called it; padding follows. */
function nameOf (value: Uint8Array | null): string { return text(value).split(' ')[0]! }

class Worker {
  readonly process: SimProcess
  readonly #world: ClientWorld
  readonly #work: QueueWork
  readonly #rng: SimRng
  readonly #queue: Queue
  readonly #settings: GroupSettings
  /** It has given up. */
  readonly #gone: () => void
  #calm = false
  #left = false

  constructor (world: ClientWorld, work: QueueWork, settings: GroupSettings, host: string, name: string,
    gone: () => void) {
    this.#world = world
    this.#work = work
    this.#settings = settings
    this.#gone = gone
    this.process = world.cluster.scheduler.process(name)
    this.#rng = world.cluster.scheduler.rng.fork(`workload/${name}`)
    const rng = this.#rng
    this.#queue = makeClient(world, this.process, host).queue({
      group,
      ...settings,
      leaseMs: rng.pick([1_500, 4_000]),
      sessionTimeoutMs: rng.pick([1_000, 3_000]),
      processingTimeoutMs: rng.pick([2_000, 60_000]),
      maxInFlight: rng.pick([2, 8, 64]),
      retryDelayMs: rng.pick([0, 300, 2_000])
    })
    this.process.schedule(0, 'work', () => { void this.#run() })
  }

  get isHere (): boolean { return !this.process.dead && !this.#left }

  async #run (): Promise<void> {
    const topics = this.#world.topics.lasting.map(({ name }) => name)
    try {
      await this.#queue.subscribe(topics)
      const concurrency = this.#rng.pick([1, 4, 16])
      await this.#queue.run((record) => this.#take(record), { concurrency })
    } catch (error) {
      if (!(error instanceof MillraceError) || (error.code !== 'CLOSED' && !error.retriable)) throw error
      if (error.code === 'CLOSED') return
      // The topics, or the coordinator, were away for long.
      this.#left = true
      this.#gone()
    }
  }

  #pause (ms: number): Promise<void> {
    return new Promise((resolve) => { this.process.clock.setTimer(ms, resolve) })
  }

  async #take (record: QueueRecord): Promise<void> {
    const { coverage, history, topics } = this.#world
    const { offset, deliveries } = record
    if (deliveries > 1) coverage.reached('a record was delivered again')
    const delivery = history.begin<DeliveryOperation>({
      kind: 'delivery', process: this.process.name, group, offset, deliveries,
      key: topics.key(record.topic, topics.idOf(record.topic), record.partition),
      value: nameOf(record.value), recordKey: text(record.key)
    })
    if (!this.#calm && this.#rng.chance(0.1)) await this.#pause(workMs(this.#rng))
    if (!this.#calm && this.#rng.chance(0.05)) throw new Error('not today')
    const rejects = !this.#calm && this.#rng.chance(0.02)
    await this.#settle(record, delivery, rejects ? 'rejected' : 'acknowledged')
  }

  async #settle (record: QueueRecord, delivery: DeliveryOperation, settlement: Settlement): Promise<void> {
    const { history, coverage } = this.#world
    const timeoutMs = this.#rng.pick([1_000, 10_000])
    delivery.settlement = settlement
    delivery.settledAtMs = this.#world.cluster.scheduler.now
    const finishes = settlement === 'acknowledged' || this.#settings.deadLetterTopic === undefined
    if (finishes) this.#work.mayBeFinished(delivery.key, delivery.offset)
    try {
      if (settlement === 'rejected') await record.reject('no good', { timeoutMs })
      else await record.acknowledge({ timeoutMs })
      history.end(delivery, 'ok')
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      const isRefused = error.code === 'LEASE_LOST'
      history.end(delivery, isRefused ? 'failed' : 'unknown', error.code)
      if (!isRefused) return
      coverage.reached('a lease was lost')
      if (finishes) this.#work.isNotFinished(delivery.key, delivery.offset)
    }
  }

  /** Works at its best from now on. */
  calm (): void { this.#calm = true }

  async leave (): Promise<void> {
    this.#left = true
    await this.#queue.close()
  }
}

/** The workers, one after the other in each of their seats. */
export class QueueWorkload {
  readonly #world: ClientWorld
  readonly #work: QueueWork
  readonly #rng: SimRng
  readonly #settings: GroupSettings
  readonly #workers: (Worker | undefined)[] = []
  readonly #hosts: readonly string[]
  readonly #logStart: (key: Key) => number
  #made = 0
  #calm = false
  #over = false
  /** Some that were to leave may be here still. */
  readonly #everyone: Worker[] = []
  #ends: ReadonlyMap<Key, number> = new Map()
  #calmFromMs = Infinity

  /** @param logStart of a partition, the highest of its replicas */
  constructor (world: ClientWorld, hosts: readonly string[], logStart: (key: Key) => number) {
    this.#world = world
    this.#hosts = hosts
    this.#logStart = logStart
    this.#work = new QueueWork(logStart)
    this.#rng = world.cluster.scheduler.rng.fork('queue')
    this.#settings = {
      maxDeliveries: this.#rng.pick([2, 3, 5]),
      deadLetterTopic: world.topics.deadLetters?.name,
      orderedBy: world.plan.orderedByKey ? 'key' : undefined
    }
  }

  begin (): void {
    for (let seat = 0; seat < this.#hosts.length; seat++) this.#fill(seat)
  }

  #later (ms: number, run: () => void): void {
    this.#world.cluster.scheduler.schedule(ms, undefined, 'queue', run)
  }

  #fill (seat: number): void {
    if (this.#over) return
    const gone = (): void => { this.#later(500, () => { if (this.#workers[seat] === worker) this.#fill(seat) }) }
    const worker: Worker =
      new Worker(this.#world, this.#work, this.#settings, this.#hosts[seat]!, `w${++this.#made}`, gone)
    if (this.#calm) worker.calm()
    this.#workers[seat] = worker
    this.#everyone.push(worker)
    this.#later(this.#rng.exponential(6_000), () => { this.#disturb(seat, worker) })
  }

  #disturb (seat: number, worker: Worker): void {
    if (this.#calm || this.#workers[seat] !== worker) return
    const { coverage } = this.#world
    if (this.#rng.chance(0.3)) {
      coverage.reached('a worker stood still')
      worker.process.pause()
      this.#later(this.#rng.exponential(this.#rng.pick([300, 4_000])), () => { worker.process.resume() })
      this.#later(this.#rng.exponential(6_000), () => { this.#disturb(seat, worker) })
      return
    }
    if (this.#rng.chance(0.5)) {
      coverage.reached('a worker died')
      worker.process.kill()
    } else {
      coverage.reached('a worker left')
      worker.process.schedule(0, 'leave', () => { void worker.leave() })
    }
    this.#workers[seat] = undefined
    this.#later(this.#rng.exponential(1_000), () => { this.#fill(seat) })
  }

  /** Nobody comes or goes any more, and the dead letters are read. */
  heal (): void {
    this.#calm = true
    for (const [seat, worker] of this.#workers.entries()) {
      if (worker === undefined) continue
      worker.process.resume()
      worker.calm()
      if (!worker.isHere) this.#fill(seat)
    }
    if (this.#hosts.length > 0 && this.#settings.deadLetterTopic !== undefined) this.#readDeadLetters()
  }

  #readDeadLetters (): void {
    const { topics: { deadLetters }, history, topics, coverage, cluster } = this.#world
    const process = cluster.scheduler.process('undertaker')
    const consumer = makeClient(this.#world, process, 'undertaker').consumer({})
    const read = async (): Promise<void> => {
      await consumer.assign([{ topic: deadLetters!.name, partitions: 'all', from: 'start' }])
      for await (const { value, headers } of consumer) {
        const header = (name: string): string =>
          text(headers.find(({ key }) => key === `${deadLetterPrefix}${name}`)?.value ?? null)
        const topic = header('topic')
        const key = topics.key(topic, topics.idOf(topic), Number(header('partition')))
        const letter = history.begin<DeadLetterOperation>({
          kind: 'dead letter', process: process.name, group, key, offset: Number(header('offset')),
          value: nameOf(value), deliveries: Number(header('deliveries')), cause: header('cause')
        })
        history.end(letter, 'ok')
        this.#work.mayBeFinished(key, letter.offset)
        coverage.reached(letter.cause === 'rejected' ? 'a rejected record was dead-lettered'
          : 'a record was dead-lettered after its deliveries')
      }
    }
    process.schedule(0, 'read', () => { void read() })
  }

  /** All at once, and nobody comes after them. */
  die (): void {
    this.#over = true
    for (const { process } of this.#everyone) process.kill()
  }

  /** True when every record before these ends is finished. */
  isDone (ends: ReadonlyMap<Key, number>): boolean {
    return this.#hosts.length === 0 || [...ends].every(([key, end]) => this.#work.frontier(key) >= end)
  }

  /** For who wonders why it is not done. */
  state (ends: ReadonlyMap<Key, number>): string {
    return [...ends].map(([key, end]) => `  queue: ${key} finished ${this.#work.frontier(key)} of ${end}`).join('\n')
  }

  /** Everything before these ends is done; who had been in trouble has been out of it since `calmFromMs`. */
  done (ends: ReadonlyMap<Key, number>, calmFromMs: number): void {
    this.#ends = ends
    this.#calmFromMs = calmFromMs
  }

  anomalies (history: readonly Operation[]): Anomaly[] {
    if (this.#hosts.length === 0) return []
    const { maxDeliveries, deadLetterTopic, orderedBy } = this.#settings
    if (orderedBy === 'key') this.#world.coverage.reached('workers kept to the order of keys')
    return checkQueues(history, {
      group, deliveriesMax: maxDeliveries, hasDeadLetters: deadLetterTopic !== undefined,
      isOrdered: orderedBy === 'key', ends: this.#ends, removedBelow: this.#logStart, calmFromMs: this.#calmFromMs
    }).anomalies
  }
}
