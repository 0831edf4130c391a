// The operator in this process, the API server by HTTP, controllers by gRPC: nothing of it is faster than it is, but
// the operator's slow timers (the resync above all) run off when a test says so.
import { AdminCalls } from '../../../operator/admin-calls.ts'
import { loadCredentials } from '../../../operator/kube/credentials.ts'
import { HttpApi } from '../../../operator/kube/http-api.ts'
import { Operator } from '../../../operator/operator.ts'
import { NodeClock } from '../../../wire/adapters/node-clock.ts'
import { NodeRng } from '../../../wire/adapters/node-rng.ts'
import type { Clock, Timer } from '../../../wire/ports.ts'
import { silentLog } from '../silent-log.ts'
import { Surroundings } from './surroundings.ts'

/** Timers from here on up wait for a test. */
const slowMs = 60_000
/** What is put off for less is still to be done. */
const soonMs = 3_000
const calmLooks = 10
const lookMs = 15

export class ScaleWorld {
  readonly around: Surroundings
  readonly #clock = new NodeClock()
  readonly #slow = new Set<() => void>()
  #soon = 0
  #api: HttpApi | undefined
  #calls: AdminCalls | undefined
  #operator: Operator | undefined

  private constructor (around: Surroundings) {
    this.around = around
  }

  static async start (): Promise<ScaleWorld> {
    const world = new ScaleWorld(await Surroundings.start())
    await world.startOperator()
    return world
  }

  get operator (): Operator { return this.#operator! }

  /** Resolves once it acts. */
  async startOperator (): Promise<void> {
    const clock: Clock = {
      now: () => this.#clock.now(),
      wallTime: () => this.#clock.wallTime(),
      defer: work => { this.#clock.defer(work) },
      setTimer: (afterMs, work) => this.#setTimer(afterMs, work)
    }
    const credentials = await loadCredentials({ MILLRACE_KUBE: this.around.kube.url })
    this.#api = new HttpApi({ credentials, clock, userAgent: 'millrace-operator/test' })
    this.#calls = new AdminCalls(() => clock.wallTime())
    this.#operator = new Operator({
      api: this.#api,
      net: this.#calls,
      clock,
      rng: new NodeRng(),
      log: silentLog,
      namespaces: [],
      image: 'millrace:0.1.0',
      version: '0.1.0',
      instance: 'operator-test'
    })
    this.#operator.start()
    await this.#operator.lead()
  }

  async stopOperator (): Promise<void> {
    await this.#operator?.stop()
    this.#api?.close()
    this.#calls?.close()
    this.#slow.clear()
  }

  /** Hours pass for the slow timers: each that is set now runs off. */
  ring (): void {
    const due = [...this.#slow]
    this.#slow.clear()
    for (const work of due) work()
  }

  /** Resolves once nothing was asked, worked on or about to be for a while. */
  async settled (): Promise<void> {
    const { requests } = this.around
    let seen = -1
    for (let calm = 0; calm < calmLooks; calm++) {
      await new Promise(resolve => { setTimeout(resolve, lookMs) })
      const { clusterQueue, topicQueue } = this.operator
      const asked = requests.writes + requests.reads + this.around.calls('DescribeCluster')
      if (!clusterQueue.isIdle || !topicQueue.isIdle || this.#soon > 0 || asked !== seen) calm = -1
      seen = asked
    }
  }

  async close (): Promise<void> {
    await this.stopOperator()
    await this.around.close()
  }

  #setTimer (afterMs: number, work: () => void): Timer {
    if (afterMs < soonMs) return this.#setSoon(afterMs, work)
    if (afterMs < slowMs) return this.#clock.setTimer(afterMs, work)
    this.#slow.add(work)
    return { cancel: () => { this.#slow.delete(work) } }
  }

  #setSoon (afterMs: number, work: () => void): Timer {
    let isPending = true
    const end = (): void => {
      if (isPending) this.#soon--
      isPending = false
    }
    this.#soon++
    const timer = this.#clock.setTimer(afterMs, () => { end(); work() })
    return { cancel: () => { end(); timer.cancel() } }
  }
}
