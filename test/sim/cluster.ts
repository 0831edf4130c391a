// A whole cluster in one simulation: brokers, the Kubernetes API, clients, the network between them.
import type { SimEvent } from './scheduler.ts'
import { Scheduler } from './scheduler.ts'
import { Addresses, bootstrapName, clientPort, peerPort } from './addresses.ts'
import { SimBroker } from './broker.ts'
import { SimFailure } from './failure.ts'
import { KubeServer } from './kube.ts'
import { LogBook } from './log.ts'
import { SimNetwork } from './network.ts'
import { SimRng } from './rng.ts'

/** So little that learners of a short run have more to get, where they are held back at all. */
const learnerNearBytes = 1024

/** Looks at everything, changes nothing. */
export interface Observer {
  /** After an event, with all its promises; `broker` is the one whose process had it. */
  afterStep (event: SimEvent, broker: SimBroker | undefined): void
  beforeDeath (broker: SimBroker): void
}

export interface ClusterOptions {
  readonly seed: number
  readonly brokers: number
  /** What each broker spends on learners; 0: the default. */
  readonly learnerBytesPerSecond?: number
  /** So often a broker that starts again comes back under another address. */
  readonly newAddressChance?: number
}

export class SimCluster {
  readonly name = 'events'
  readonly uid = 'c0ffee00-0000-4000-8000-000000000000'
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly addresses: Addresses
  readonly kube: KubeServer
  readonly book = new LogBook()
  readonly brokers: SimBroker[]
  /** Those that were removed, for the next one of their id. */
  readonly #former: SimBroker[] = []
  readonly #byProcess = new Map<string, SimBroker>()
  observer: Observer | undefined

  /** What all brokers are told. */
  readonly learnerSettings: { readonly learnerBytesPerSecond?: number, readonly learnerNearBytes?: number }

  constructor ({ seed, brokers, learnerBytesPerSecond = 0, newAddressChance = 0 }: ClusterOptions) {
    this.learnerSettings = learnerBytesPerSecond === 0 ? {} : { learnerBytesPerSecond, learnerNearBytes }
    this.scheduler = new Scheduler(new SimRng(seed))
    this.network = new SimNetwork(this.scheduler)
    this.network.onServiceError = (error) => {
      this.scheduler.fail(SimFailure.from('uncaught error', 'a service', error))
    }
    this.kube = new KubeServer(this.network)
    this.addresses = new Addresses(this, newAddressChance)
    this.brokers = Array.from({ length: brokers }, (_, id) => new SimBroker(this, id))
    this.scheduler.onStep = (event) => { this.observer?.afterStep(event, this.#brokerOf(event)) }
  }

  /** As processes that start are told. */
  get brokersExpected (): number { return this.brokers.length }

  #brokerOf (event: SimEvent): SimBroker | undefined {
    const name = event.owner?.name
    if (name === undefined || name.charCodeAt(0) !== 98) return undefined
    let broker = this.#byProcess.get(name)
    if (broker === undefined) {
      broker = this.brokers.find((candidate) => candidate.process === event.owner)
      if (broker !== undefined) this.#byProcess.set(name, broker)
    }
    return broker?.process === event.owner ? broker : undefined
  }

  /** One more pod of the StatefulSet, with an empty volume. */
  addBroker (): SimBroker {
    const id = this.brokers.length
    const former = this.#former.findIndex((broker) => broker.id === id)
    const [broker = new SimBroker(this, id)] = former < 0 ? [] : this.#former.splice(former, 1)
    broker.removed = false
    if (former >= 0) broker.wipe()
    this.brokers.push(broker)
    broker.start()
    return broker
  }

  /** One pod fewer: the last. */
  removeBroker (): void {
    const broker = this.brokers.pop()!
    broker.end('kill')
    broker.removed = true
    this.#former.push(broker)
  }

  start (): void { for (const broker of this.brokers) broker.start() }

  /** The names that DNS has for the pods: they lead to wherever each is now. */
  get peerNames (): string[] { return this.brokers.map((broker) => `${broker.host}:${peerPort}`) }
  /** The Service's: what clients are told, once and for all. */
  readonly bootstrap = `${bootstrapName}:${clientPort}`
}
