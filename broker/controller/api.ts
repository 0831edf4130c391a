// The Kubernetes API as the controller uses it: counted, and patient with faults that pass.
import type { Clock, Rng } from '../../wire/ports.ts'
import { KubeError } from '../io/ports.ts'
import type { Kube, KubeKind, KubeObject, KubeVersion, Log } from '../io/ports.ts'
import { Backoff } from './wait.ts'

/** The office is not to be had, or not to be kept. */
export class OfficeLost extends Error {
  override readonly name = 'OfficeLost'
  /** Something that is no controller has written: whoever is next must doubt the tables. */
  readonly doubt: boolean

  constructor (message: string, doubt = false) {
    super(message)
    this.doubt = doubt
  }
}

export interface ApiCounters {
  apiRequests: number
  apiErrors: number
  apiLatencyMs: number
}

const pauseFirstMs = 20
/** After an outage everything goes on within 2 s. */
const pauseMaxMs = 1_000
/** A server that asks for more patience than this is asked again all the same. */
const retryAfterMsMax = 30_000

export class Api {
  readonly #kube: Kube
  readonly #clock: Clock
  readonly #rng: Rng
  readonly #log: Log
  readonly #counters: ApiCounters

  constructor (options: { kube: Kube, clock: Clock, rng: Rng, log: Log, counters: ApiCounters }) {
    this.#kube = options.kube
    this.#clock = options.clock
    this.#rng = options.rng
    this.#log = options.log
    this.#counters = options.counters
  }

  get (kind: KubeKind, name: string): Promise<KubeObject | undefined> {
    return this.#count(() => this.#kube.get(kind, name))
  }

  list (kind: KubeKind, labels: Readonly<Record<string, string>>): Promise<KubeObject[]> {
    return this.#count(() => this.#kube.list(kind, labels))
  }

  versions (kind: KubeKind, labels: Readonly<Record<string, string>>): Promise<Map<string, KubeVersion>> {
    return this.#count(() => this.#kube.versions(kind, labels))
  }

  create (kind: KubeKind, object: KubeObject): Promise<KubeObject> {
    return this.#count(() => this.#kube.create(kind, object))
  }

  replace (kind: KubeKind, object: KubeObject): Promise<KubeObject> {
    return this.#count(() => this.#kube.replace(kind, object))
  }

  backoff (): ApiBackoff {
    return new ApiBackoff(new Backoff(this.#clock, this.#rng, pauseFirstMs, pauseMaxMs), this.#log)
  }

  /** Repeats a read until it is answered. Throws OfficeLost once `wanted` is false. */
  async answered<T> (wanted: () => boolean, read: () => Promise<T>): Promise<T> {
    const backoff = this.backoff()
    for (;;) {
      if (!wanted()) throw new OfficeLost('stopped')
      try {
        return await read()
      } catch (error) {
        await backoff.after(error)
      }
    }
  }

  async #count<T> (request: () => Promise<T>): Promise<T> {
    const began = this.#clock.now()
    this.#counters.apiRequests += 1
    try {
      return await request()
    } catch (error) {
      if (error instanceof KubeError && error.kind !== 'conflict' && error.kind !== 'exists') {
        this.#counters.apiErrors += 1
      }
      throw error
    } finally {
      this.#counters.apiLatencyMs += this.#clock.now() - began
    }
  }
}

/** The pauses between tries of one thing until it succeeds. */
export class ApiBackoff {
  readonly #backoff: Backoff
  readonly #log: Log
  #failures = 0

  constructor (backoff: Backoff, log: Log) {
    this.#backoff = backoff
    this.#log = log
  }

  /** Every KubeError passes in time, 401 and 403 too: tokens and roles are renewed. Anything else is thrown on. */
  async after (error: unknown): Promise<void> {
    if (!(error instanceof KubeError)) throw error
    this.#failures += 1
    // 1, 2, 4, 8 ...: an outage must be seen in the log, not fill it. A lost race is none.
    if ((this.#failures & (this.#failures - 1)) === 0) {
      const level = error.kind === 'conflict' || error.kind === 'exists' ? 'debug' : 'warn'
      this.#log[level]({ kind: error.kind, status: error.status, failures: this.#failures },
        `Kubernetes API: ${error.message}`)
    }
    await this.#backoff.wait(Math.min(error.retryAfterMs, retryAfterMsMax))
  }

  /** What was wished for came to be: the next fault is a new one. */
  reset (): void {
    this.#failures = 0
    this.#backoff.reset()
  }
}
