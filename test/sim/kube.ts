// The Kube port of one simulated process, and the faults between it and the store: outages, slowness,
// refusals, answers lost after the write, requests that arrive after their sender gave up. Nothing reads from a
// cache of the API server (no resourceVersion is sent with a read: those are quorum reads), so that stale reads
// are those of requests that were answered late.
import { KubeError } from '../../broker/io/ports.ts'
import type { Kube, KubeKind, KubeObject, KubeVersion } from '../../broker/io/ports.ts'
import { KubeStore } from './kube-store.ts'
import type { SimNetwork } from './network.ts'
import type { SimProcess } from './scheduler.ts'

export type KubeFault = 'unauthorized' | 'forbidden' | 'conflict' | 'conflict after write' | 'throttled' |
  'server error' | 'server error after write' | 'reply lost' | 'late'

export const kubeFaults: readonly KubeFault[] = ['unauthorized', 'forbidden', 'conflict', 'conflict after write',
  'throttled', 'server error', 'server error after write', 'reply lost', 'late']

export interface KubeConditions {
  /** down: connections are refused. silent: nothing answers. */
  state: 'up' | 'down' | 'silent'
  delayMs: number
  /** So many requests, of 1, meet one of `faults`. */
  faultChance: number
  faults: readonly KubeFault[]
}

/** The host name of the API server in the simulated network. */
export const kubeHost = 'kube'
/** Longest wait for an answer, as the real adapter's. */
export const kubeTimeoutMs = 5_000
const lateMsMax = 30_000

export class KubeServer {
  readonly network: SimNetwork
  readonly store: KubeStore
  readonly conditions: KubeConditions = { state: 'up', delayMs: 2, faultChance: 0, faults: kubeFaults }
  readonly counters = { requests: 0, faults: 0, lateWrites: 0 }

  constructor (network: SimNetwork) {
    this.network = network
    this.store = new KubeStore(network.scheduler.rng.fork('kube/store'))
  }
}

export class SimKube implements Kube {
  readonly #server: KubeServer
  readonly #process: SimProcess
  readonly #host: string

  constructor (server: KubeServer, process: SimProcess, host: string) {
    this.#server = server
    this.#process = process
    this.#host = host
  }

  get (kind: KubeKind, name: string): Promise<KubeObject | undefined> {
    return this.#request('get', name, false, (store) => store.get(kind, name))
  }

  list (kind: KubeKind, labels: Readonly<Record<string, string>>): Promise<KubeObject[]> {
    return this.#request('list', kind.plural, false, (store) => store.list(kind, labels))
  }

  versions (kind: KubeKind, labels: Readonly<Record<string, string>>): Promise<Map<string, KubeVersion>> {
    return this.#request('versions', kind.plural, false, (store) => new Map(store.list(kind, labels).map(
      ({ metadata: { name, uid = '', resourceVersion = '' } }) => [name, { uid, resourceVersion }])))
  }

  create (kind: KubeKind, object: KubeObject): Promise<KubeObject> {
    const copy = structuredClone(object)
    return this.#request('create', copy.metadata.name, true, (store) => store.create(kind, copy, this.#process.name))
  }

  replace (kind: KubeKind, object: KubeObject): Promise<KubeObject> {
    const copy = structuredClone(object)
    return this.#request('replace', copy.metadata.name, true, (store) => store.replace(kind, copy, this.#process.name))
  }

  remove (kind: KubeKind, name: string, precondition: { uid: string, resourceVersion: string }): Promise<void> {
    const copy = { ...precondition }
    return this.#request('remove', name, true, (store) => { store.remove(kind, name, copy, this.#process.name) })
  }

  #request<T> (verb: string, name: string, writes: boolean, apply: (store: KubeStore) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const { counters } = this.#server
      counters.requests++
      const timer = this.#process.clock.setTimer(kubeTimeoutMs, () => {
        reject(new KubeError(writes ? 'unknown' : 'unavailable', 0, `${verb} ${name}: no answer in time`))
      })
      const answer = (outcome: () => void): void => {
        this.#back(`kube ${verb} <`, name, () => {
          timer.cancel()
          outcome()
        })
      }
      this.#there(`kube ${verb} >`, name, () => {
        this.#handle(`${verb} ${name}`, writes, apply, (result) => { answer(() => { resolve(result) }) },
          (error) => { answer(() => { reject(error) }) })
      })
    })
  }

  #handle<T> (what: string, writes: boolean, apply: (store: KubeStore) => T, resolve: (result: T) => void,
    reject: (error: KubeError) => void): void {
    const { conditions, counters, network, store } = this.#server
    const { rng } = network
    if (conditions.state === 'silent') return
    if (conditions.state === 'down') return reject(new KubeError('unavailable', 0, `${what}: connection refused`))
    const fault = conditions.faultChance > 0 && rng.chance(conditions.faultChance)
      ? rng.pick(conditions.faults)
      : undefined
    if (fault !== undefined) counters.faults++
    const carryOut = (): void => {
      let result: T
      try {
        result = apply(store)
      } catch (error) {
        reject(error as KubeError)
        return
      }
      resolve(result)
    }
    const silently = (): void => {
      try {
        apply(store)
      } catch (error) {
        if (!(error instanceof KubeError)) throw error
      }
    }
    switch (fault) {
      case undefined: carryOut(); break
      case 'unauthorized': reject(new KubeError('refused', 401, `${what}: Unauthorized`)); break
      case 'forbidden': reject(new KubeError('refused', 403, `${what}: Forbidden`)); break
      case 'throttled':
        reject(new KubeError('unavailable', 429, `${what}: too many requests`, 1 + rng.integer(2_000)))
        break
      case 'conflict':
      case 'conflict after write':
        // A proxy or client library that repeats a write on its own sees its own first attempt.
        if (!writes) return carryOut()
        if (fault === 'conflict after write') silently()
        reject(what.startsWith('create')
          ? new KubeError('exists', 409, `${what}: already exists`)
          : new KubeError('conflict', 409, `${what}: the object has been modified`))
        break
      case 'server error':
      case 'server error after write':
        if (fault === 'server error after write') silently()
        reject(new KubeError(writes ? 'unknown' : 'unavailable', 500, `${what}: etcdserver: request timed out`))
        break
      case 'reply lost': silently(); break
      case 'late':
        network.scheduler.schedule(rng.fraction() * lateMsMax, undefined, 'kube late', () => {
          counters.lateWrites++
          if (conditions.state === 'up') carryOut()
        }, what)
    }
  }

  #there (label: string, name: string, run: () => void): void {
    const { network, conditions } = this.#server
    const link = network.link(this.#host, kubeHost)
    const travel = (lateMs: number): void => {
      network.scheduler.schedule(lateMs + this.#delayMs(conditions.delayMs), undefined, label, () => {
        // TCP tries again when the link is whole: the request may arrive long after its sender gave up.
        if (link.cut) link.whenWhole(travel)
        else run()
      }, `${name} of ${this.#process.name}`)
    }
    travel(0)
  }

  #back (label: string, name: string, run: () => void): void {
    const { network, conditions } = this.#server
    const link = network.link(kubeHost, this.#host)
    const travel = (lateMs: number): void => {
      this.#process.schedule(lateMs + this.#delayMs(conditions.delayMs), label, () => {
        if (link.cut) link.whenWhole(travel)
        else run()
      }, name)
    }
    travel(0)
  }

  #delayMs (meanMs: number): number {
    return 0.5 + this.#server.network.rng.exponential(meanMs)
  }
}
