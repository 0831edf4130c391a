// A producing client: the real client library in a process of its own, sending unique values.
import { MillraceError, RefusedError, UnknownTopicError } from '../../client/errors.ts'
import { MillraceClient } from '../../client/millrace.ts'
import type { Producer } from '../../client/producer.ts'
import type { History, SendOperation } from '../check/history.ts'
import type { Coverage } from './coverage.ts'
import type { SimCluster } from './cluster.ts'
import { SimNet } from './net.ts'
import type { Plan } from './plan.ts'
import type { SimRng } from './rng.ts'
import type { SimProcess } from './scheduler.ts'
import type { Topics } from './topics.ts'

const outstandingMax = 300
const againMs = 200
/** Of each partition; one record in ten has none. */
const keys = 20

export interface ClientWorld {
  readonly cluster: SimCluster
  readonly plan: Plan
  readonly topics: Topics
  readonly history: History
  readonly coverage: Coverage
  /**
   * A client was told of this record: it must be committed by now.
   * @param leaderEpoch of its batch, of one that may have been read before a person gave it up
   */
  committed (topicId: string, partition: number, offset: number, how: string, leaderEpoch?: number): void
}

const workMsMax = 15_000

/** How long a member works on what it was given: more than it has the time for, now and then, but not for ever. */
export function workMs (rng: SimRng): number {
  return Math.min(rng.exponential(rng.pick([50, 3_000])), workMsMax)
}

export function makeClient ({ cluster }: ClientWorld, process: SimProcess, host: string): MillraceClient {
  return new MillraceClient({ bootstrap: cluster.bootstrap }, {
    net: new SimNet(cluster.network, process, host),
    clock: process.clock,
    rng: cluster.scheduler.rng.fork(`process/${process.name}`)
  })
}

export class ProducerClient {
  readonly host: string
  readonly process: SimProcess
  readonly #world: ClientWorld
  readonly #rng: SimRng
  readonly #keysRng: SimRng
  readonly #producer: Producer
  #sent = 0
  #batch = 0
  #outstanding = 0
  #stopped = false

  constructor (world: ClientWorld, host: string, name: string, deliveryTimeoutMs: number) {
    this.#world = world
    this.host = host
    this.process = world.cluster.scheduler.process(name)
    this.#rng = world.cluster.scheduler.rng.fork(`workload/${name}`)
    this.#keysRng = this.#rng.fork('keys')
    this.#producer = makeClient(world, this.process, host).producer({
      deliveryTimeoutMs,
      requestTimeoutMs: this.#rng.pick([1_500, 30_000]),
      lingerMs: this.#rng.pick([0, 5, 50]),
      inFlightMax: 1 + this.#rng.integer(5),
      batchBytes: this.#rng.pick([512, 64 * 1024])
    })
  }

  get idle (): boolean { return this.#outstanding === 0 || this.process.dead }

  /** The oldest send that has not ended, for people. */
  get waitsFor (): string {
    const open = this.#world.history.operations.find((operation) => operation.kind === 'send' &&
      operation.process === this.process.name && operation.endMs === Infinity) as SendOperation | undefined
    const { value, key, startMs = NaN } = open ?? {}
    return `${this.process.name} waits for ${value} to ${key}, sent at ${Math.round(startMs)} ms`
  }

  begin (): void {
    this.process.clock.setTimer(this.#rng.exponential(this.#world.plan.sendEveryMs), () => {
      if (this.#stopped) return
      this.#some()
      this.begin()
    })
  }

  stop (): void { this.#stopped = true }

  #some (): void {
    const topic = this.#rng.pick(this.#world.topics.ordinary)
    const partition = this.#rng.integer(topic.partitionsThere)
    const burst = this.#rng.chance(0.2) ? 1 + this.#rng.integer(10) : 1
    this.#batch++
    for (let i = 0; i < burst && this.#outstanding < outstandingMax; i++) this.send(topic.name, partition)
  }

  /** @param insists sends another one when the topic or partition is not known. */
  send (topic: string, partition: number, insists = false): void {
    const { history, plan, topics } = this.#world
    const value = `${this.process.name}-${++this.#sent}`
    const operation = history.begin<SendOperation>({
      kind: 'send', process: this.process.name, key: topics.key(topic, topics.idOf(topic), partition), value,
      batch: this.#batch
    })
    const padding = 'x'.repeat(this.#rng.integer(plan.valueBytesMax))
    const record = { topic, partition, key: this.#key(), value: `${value} ${padding}` }
    this.#outstanding++
    this.#producer.send(record).then(({ topicId, offset }) => {
      this.#outstanding--
      operation.key = topics.key(topic, topicId, partition)
      operation.offset = offset
      history.end(operation, 'ok')
      this.#world.committed(topicId, partition, offset, `${value} was acknowledged`)
      // A broker that nobody has told yet still served the topic that had the name before.
      if (insists && topicId !== topics.idOf(topic)) this.#sendAgain(topic, partition)
    }, (error: unknown) => {
      this.#outstanding--
      this.#failed(operation, error)
      // Brokers may not have heard of it yet.
      if (insists && error instanceof UnknownTopicError) this.#sendAgain(topic, partition)
    })
  }

  #key (): string | null {
    if (!this.#world.plan.orderedByKey || this.#keysRng.chance(0.1)) return null
    return `k${this.#keysRng.integer(keys)}`
  }

  #sendAgain (topic: string, partition: number): void {
    this.#outstanding++
    this.process.clock.setTimer(againMs, () => {
      this.#outstanding--
      this.send(topic, partition, true)
    })
  }

  #failed (operation: SendOperation, error: unknown): void {
    if (!(error instanceof MillraceError) || error.code === 'INTERNAL') throw error
    // The client says 'not written' only when it is certain; the checker holds it to that.
    const certain = error instanceof RefusedError || error.message.includes('not written')
    const { history, coverage } = this.#world
    coverage.reached(certain ? 'a send failed' : 'a send ended unknown')
    history.end(operation, certain ? 'failed' : 'unknown', `${error.code}: ${error.message}`)
  }
}
