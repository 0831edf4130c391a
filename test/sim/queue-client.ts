// A queue group: the real client library, each worker in a process of its own. They come, go, die and stand still,
// beside everything that the nemesis does to brokers and coordinators.
//
// What is asserted: a record that was acknowledged is not delivered once more; and at the end every record was
// acknowledged by somebody, so none was lost.
import { MillraceError } from '../../client/errors.ts'
import type { Queue } from '../../client/queue.ts'
import type { QueueRecord } from '../../client/queue-options.ts'
import type { Key } from '../check/history.ts'
import { SimFailure } from './failure.ts'
import type { ClientWorld } from './producer-client.ts'
import { makeClient } from './producer-client.ts'
import type { SimRng } from './rng.ts'
import type { SimProcess } from './scheduler.ts'

const group = 'workers'

/** What became of the records, as the workers know. */
class Work {
  readonly #world: ClientWorld
  /** By partition and offset: the delivery that was acknowledged. */
  readonly #acknowledged = new Map<Key, Map<number, number>>()
  /** Acknowledged, or it is not known: nobody need get it again. */
  readonly #answered = new Map<Key, Set<number>>()

  constructor (world: ClientWorld) {
    this.#world = world
  }

  begun (worker: string, key: Key, { offset, deliveries }: QueueRecord): void {
    const acknowledged = this.#acknowledged.get(key)?.get(offset)
    // One that has lost its lease may still begin an earlier delivery; a later one means that it was given anew.
    if (acknowledged === undefined || deliveries <= acknowledged) return
    this.#world.cluster.scheduler.fail(new SimFailure('delivered after acknowledgement',
      `${key}: offset ${offset} was acknowledged in delivery ${acknowledged}; ${worker} got it in ${deliveries}`))
  }

  answering (key: Key, offset: number): void {
    const answered = this.#answered.get(key) ?? new Set<number>()
    this.#answered.set(key, answered)
    answered.add(offset)
  }

  acknowledged (key: Key, { offset, deliveries }: QueueRecord): void {
    const mine = this.#acknowledged.get(key) ?? new Map<number, number>()
    this.#acknowledged.set(key, mine)
    mine.set(offset, Math.max(mine.get(offset) ?? 0, deliveries))
    this.answering(key, offset)
  }

  /** Everything from `start` on and before it was answered. */
  frontier (key: Key, start: number): number {
    const answered = this.#answered.get(key)
    let frontier = start
    while (answered?.has(frontier) === true) frontier++
    return frontier
  }
}

class Worker {
  readonly process: SimProcess
  readonly #world: ClientWorld
  readonly #work: Work
  readonly #rng: SimRng
  readonly #queue: Queue
  #calm = false
  #left = false

  constructor (world: ClientWorld, work: Work, host: string, name: string) {
    this.#world = world
    this.#work = work
    this.process = world.cluster.scheduler.process(name)
    this.#rng = world.cluster.scheduler.rng.fork(`workload/${name}`)
    const rng = this.#rng
    this.#queue = makeClient(world, this.process, host).queue({
      group,
      leaseMs: rng.pick([1_500, 4_000]),
      sessionTimeoutMs: rng.pick([1_000, 3_000]),
      processingTimeoutMs: rng.pick([2_000, 60_000]),
      maxInFlight: rng.pick([1, 8, 64])
    })
    this.process.schedule(0, 'work', () => { void this.#run() })
  }

  get isHere (): boolean { return !this.process.dead && !this.#left }

  async #run (): Promise<void> {
    const topics = this.#world.topics.all.filter((topic) => topic.transient !== true).map(({ name }) => name)
    try {
      await this.#queue.subscribe(topics)
      const concurrency = this.#rng.pick([1, 4, 16])
      await this.#queue.run((record) => this.#take(record), { concurrency })
    } catch (error) {
      if (!(error instanceof MillraceError) || (error.code !== 'CLOSED' && !error.retriable)) throw error
      if (error.code === 'CLOSED') return
      // The topics, or the coordinator, were away for long: others work, and the seat is filled anew.
      this.#left = true
    }
  }

  #pause (ms: number): Promise<void> {
    return new Promise((resolve) => { this.process.clock.setTimer(ms, resolve) })
  }

  async #take (record: QueueRecord): Promise<void> {
    const { topics } = this.#world
    const key = topics.key(record.topic, topics.idOf(record.topic), record.partition)
    this.#work.begun(this.process.name, key, record)
    if (!this.#calm && this.#rng.chance(0.1)) await this.#pause(this.#rng.exponential(this.#rng.pick([50, 3_000])))
    if (!this.#calm && this.#rng.chance(0.05)) throw new Error('not today')
    this.#work.answering(key, record.offset)
    try {
      await record.acknowledge({ timeoutMs: this.#rng.pick([1_000, 10_000]) })
      this.#work.acknowledged(key, record)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
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
  readonly #work: Work
  readonly #rng: SimRng
  readonly #workers: (Worker | undefined)[] = []
  readonly #hosts: readonly string[]
  readonly #logStart: (key: Key) => number
  #made = 0
  #calm = false

  /** @param logStart of a partition, the highest of its replicas */
  constructor (world: ClientWorld, hosts: readonly string[], logStart: (key: Key) => number) {
    this.#world = world
    this.#hosts = hosts
    this.#logStart = logStart
    this.#work = new Work(world)
    this.#rng = world.cluster.scheduler.rng.fork('queue')
  }

  begin (): void {
    for (let seat = 0; seat < this.#hosts.length; seat++) this.#fill(seat)
  }

  #later (ms: number, run: () => void): void {
    this.#world.cluster.scheduler.schedule(ms, undefined, 'queue', run)
  }

  #fill (seat: number): void {
    const worker = new Worker(this.#world, this.#work, this.#hosts[seat]!, `w${++this.#made}`)
    if (this.#calm) worker.calm()
    this.#workers[seat] = worker
    this.#later(this.#rng.exponential(6_000), () => { this.#disturb(seat, worker) })
  }

  #disturb (seat: number, worker: Worker): void {
    if (this.#calm || this.#workers[seat] !== worker) return
    if (this.#rng.chance(0.3)) {
      worker.process.pause()
      this.#later(this.#rng.exponential(this.#rng.pick([300, 4_000])), () => { worker.process.resume() })
      this.#later(this.#rng.exponential(6_000), () => { this.#disturb(seat, worker) })
      return
    }
    if (this.#rng.chance(0.5)) worker.process.kill()
    else worker.process.schedule(0, 'leave', () => { void worker.leave() })
    this.#workers[seat] = undefined
    this.#later(this.#rng.exponential(1_000), () => { this.#fill(seat) })
  }

  /** Nobody comes or goes any more. */
  heal (): void {
    this.#calm = true
    for (const [seat, worker] of this.#workers.entries()) {
      if (worker === undefined) continue
      worker.process.resume()
      worker.calm()
      if (!worker.isHere) this.#fill(seat)
    }
  }

  #isDone (key: Key, end: number): boolean {
    return this.#work.frontier(key, this.#logStart(key)) >= end
  }

  /** True when every record before these ends was acknowledged. */
  isDone (ends: ReadonlyMap<Key, number>): boolean {
    return this.#hosts.length === 0 || [...ends].every(([key, end]) => this.#isDone(key, end))
  }

  /** For who wonders why it is not done. */
  state (ends: ReadonlyMap<Key, number>): string {
    return [...ends].map(([key, end]) =>
      `  queue: ${key} finished ${this.#work.frontier(key, this.#logStart(key))} of ${end}`).join('\n')
  }
}
