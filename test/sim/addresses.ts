// The addresses of brokers, as pods have them: a process keeps its own, the next one may come back under another. At
// the old one there is nobody then, or a broker of another cluster, or later another of this one. Hosts, and the links
// between them, stay what they are.
import type { SimBroker } from './broker.ts'
import type { SimCluster } from './cluster.ts'
import { SimNet } from './net.ts'
import type { SimRng } from './rng.ts'

export const clientPort = 9090
export const peerPort = 9091
/** Leads to some broker that listens, as the bootstrap Service does. */
export const bootstrapName = 'bootstrap'

/** The host of the other cluster's broker: it serves nobody who means this one. */
const strangerHost = 'stranger'
const strangerClusters = ['elsewhere/events', '0ddba11']

/** So often a broker that comes back elsewhere gets an address that another one had, where there is any. */
const inheritChance = 0.5

export class Addresses {
  readonly #cluster: SimCluster
  readonly #changeChance: number
  /** Who has it, or nobody, by address; in the order in which they were first given. */
  readonly #owners = new Map<string, SimBroker | undefined>()
  readonly counters = { renewed: 0, inherited: 0 }

  constructor (cluster: SimCluster, changeChance: number) {
    this.#cluster = cluster
    this.#changeChance = changeChance
    const rng = cluster.scheduler.rng.fork(bootstrapName)
    cluster.network.names.set(bootstrapName, { host: () => this.#anyThatListens(rng), refuses: true })
    const stranger = new SimNet(cluster.network, cluster.scheduler.process(strangerHost), strangerHost)
    for (const port of [clientPort, peerPort]) {
      void stranger.listen(`${strangerHost}:${port}`, {}, { clusters: strangerClusters })
    }
  }

  #anyThatListens (rng: SimRng): string | undefined {
    const { brokers, network } = this.#cluster
    const hosts = brokers.map(({ host }) => host).filter((host) => network.host(host).listeners.has(clientPort))
    return hosts.length === 0 ? undefined : rng.pick(hosts)
  }

  /** A process of the broker is about to start: its address is settled until the next one does. */
  settle (broker: SimBroker): void {
    if (broker.address === '') this.#give(broker, this.#fresh())
    else if (this.#owners.get(broker.address) !== broker || this.#rng(broker).chance(this.#changeChance)) {
      this.#move(broker, this.#free(broker))
    }
  }

  /** Its next process gets an address that nobody had. Only while nothing runs. */
  renew (broker: SimBroker): void {
    mustRest(broker)
    this.#move(broker, [])
  }

  /** Only while nothing runs. */
  exchange (a: SimBroker, b: SimBroker): void {
    for (const broker of [a, b]) mustRest(broker)
    const { address } = a
    this.#give(a, b.address)
    this.#give(b, address)
    this.counters.renewed += 2
    this.counters.inherited += 2
  }

  #rng (broker: SimBroker): SimRng {
    return this.#cluster.scheduler.rng.fork(`address/${broker.id}.${broker.incarnations}`)
  }

  /** Addresses that others had: they are elsewhere, or have no process now and will have to go elsewhere. */
  #free (broker: SimBroker): string[] {
    return [...this.#owners].flatMap(([address, owner]) =>
      address === broker.address || owner === broker || owner?.running === true ? [] : [address])
  }

  #move (broker: SimBroker, free: readonly string[]): void {
    const rng = this.#rng(broker).fork('place')
    const before = broker.address
    if (this.#owners.get(before) === broker) this.#vacate(before, rng.pick(['refused', 'silent', strangerHost]))
    this.counters.renewed++
    if (free.length > 0 && rng.chance(inheritChance)) {
      this.counters.inherited++
      this.#give(broker, rng.pick(free))
    } else this.#give(broker, this.#fresh())
  }

  #fresh (): string { return `10.0.0.${this.#owners.size}` }

  #give (broker: SimBroker, address: string): void {
    const { network } = this.#cluster
    // The stranger's pod is gone, and its connections with it.
    for (const connection of network.connections()) {
      if (connection.acceptor?.host === strangerHost && connection.target.host === address) connection.break()
    }
    broker.address = address
    this.#owners.set(address, broker)
    network.names.set(address, { host: () => broker.host, refuses: true })
  }

  #vacate (address: string, becomes: 'refused' | 'silent' | typeof strangerHost): void {
    const host = becomes === strangerHost ? strangerHost : undefined
    this.#owners.set(address, undefined)
    this.#cluster.network.names.set(address, { host: () => host, refuses: becomes === 'refused' })
  }
}

function mustRest (broker: SimBroker): void {
  if (broker.running) throw new Error('an address is changed while its process lives')
}
