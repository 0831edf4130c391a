// A broker put together from ports alone: main.ts gives it the real ones, the simulator simulated ones.
import { WireError } from '../wire/errors.ts'
import type { ListenerAddress } from '../wire/messages.ts'
import type { Clock, Listener, Net, Rng, Services } from '../wire/ports.ts'
import type { BrokerConfig } from './config.ts'
import { GroupCoordinator } from './group/coordinator.ts'
import type { ListenerConfig } from './listeners.ts'
import type { Disk, Kube, Log } from './io/ports.ts'
import type { Volume } from './log/contract.ts'
import type { VolumeSettings } from './log/settings.ts'
import { peerKeepaliveMs } from './limits.ts'
import { openVolume } from './log/volume.ts'
import type { BrokerSources } from './metrics.ts'
import { PartitionHost } from './partition/host.ts'
import { adminServices } from './rpc/admin.ts'
import { fetchServices } from './rpc/fetch.ts'
import { throughListener } from './rpc/listener.ts'
import { metadataServices } from './rpc/metadata.ts'
import { groupServices } from './rpc/groups.ts'
import { groupOffsetsServices } from './rpc/offsets-commit.ts'
import { listOffsetsServices } from './rpc/offsets-list.ts'
import { produceServices } from './rpc/produce.ts'
import { replicateServices } from './rpc/replicate.ts'
import { sessionServices } from './rpc/session.ts'
import { SessionAgent } from './session/agent.ts'
import type { Self } from './session/contract.ts'

export interface BrokerPorts {
  readonly clock: Clock
  readonly rng: Rng
  readonly net: Net
  readonly disk: Disk
  readonly kube: Kube
  readonly log: Log
}

export type NodeConfig = Pick<BrokerConfig, 'cluster' | 'clusterUid' | 'brokerId' | 'rack' | 'brokersExpected' |
  'listenClient' | 'listenPeer' | 'advertiseClient' | 'advertisePeer'> & {
    /** Of the Cluster object; empty in the simulator and in tests. */
    readonly namespace?: string
    /** Small ones in the simulator and in tests. */
    readonly volumeSettings?: Partial<VolumeSettings>
    readonly learnerBytesPerSecond?: number
    /** Small in the simulator. */
    readonly learnerNearBytes?: number
    readonly groupExpiryMs?: number
    readonly listeners?: readonly ListenerConfig[]
  }

/** What changes while a broker runs. */
export type LiveSettings = Pick<BrokerConfig, 'learnerBytesPerSecond' | 'groupExpiryMs' | 'listeners' | 'rack'>

interface Parts {
  readonly volume: Volume
  readonly agent: SessionAgent
  readonly host: PartitionHost
  readonly groups: GroupCoordinator
}

/** What calls that are open get when the broker stops, before they are broken. */
const closeGraceMs = 100

export class BrokerNode {
  readonly #ports: BrokerPorts
  readonly #config: NodeConfig
  /** Called once when the volume has failed, or has another identity since: the process must end. */
  readonly #onFatal: (error: Error) => void
  #parts: Parts | undefined
  #listeners: Listener[] = []
  #stopping = false
  #failure: Error | undefined

  constructor (ports: BrokerPorts, config: NodeConfig, onFatal: (error: Error) => void) {
    this.#ports = ports
    this.#config = config
    this.#onFatal = onFatal
  }

  /** Recovers the volume, listens, and begins to look for the controller; resolves before it is found. */
  async start (): Promise<void> {
    const { clock, rng, net, disk, kube, log } = this.#ports
    const config = this.#config
    const volume = await openVolume({
      disk, clock, rng, clusterUid: config.clusterUid, brokerId: config.brokerId,
      onFailure: error => { this.#fail(error) },
      onNote: note => { log.info({}, note) },
      ...config.volumeSettings !== undefined && { settings: config.volumeSettings }
    })
    const self: Self = {
      clusterName: config.cluster,
      clusterUid: config.clusterUid,
      brokerId: volume.meta.brokerId,
      volumeId: volume.meta.volumeId,
      brokerEpoch: volume.meta.bootCount,
      incarnation: volume.meta.boots[0]!.incarnation,
      boots: volume.meta.boots,
      clientAddress: config.advertiseClient === '' ? config.listenClient : config.advertiseClient,
      peerAddress: config.advertisePeer === '' ? config.listenPeer : config.advertisePeer,
      rack: config.rack,
      listeners: advertised(config.listeners ?? [])
    }
    const settings = { brokersExpected: config.brokersExpected }
    const agent = new SessionAgent({
      clock, rng, net, kube, log, volume, self, settings, renewed: error => { this.#fail(error) }
    })
    const host = new PartitionHost({
      clock, rng, net, log, volume, link: agent,
      ...config.learnerBytesPerSecond !== undefined && { learnerBytesPerSecond: config.learnerBytesPerSecond },
      ...config.learnerNearBytes !== undefined && { learnerNearBytes: config.learnerNearBytes }
    })
    const groups = new GroupCoordinator({
      clock, net, log, partitions: host, view: agent.view,
      ...config.groupExpiryMs !== undefined && { expiryMs: config.groupExpiryMs }
    })
    agent.attach(host)
    this.#parts = { volume, agent, host, groups }
    // Those that follow this pod at its address may be another cluster's, and so may those that it dials: one of the
    // same name even, where several Kubernetes share a network.
    const clusters = [`${config.namespace ?? ''}/${config.cluster}`, config.clusterUid]
    net.identify(config.clusterUid)
    await host.start()
    await this.#listen(this.#parts, clusters)
    agent.start()
  }

  async #listen ({ agent, host, groups }: Parts, clusters: readonly string[]): Promise<void> {
    const { net } = this.#ports
    const peers = merged(sessionServices(agent), replicateServices(host), adminServices(agent))
    const clients = merged(produceServices(host), fetchServices(host), metadataServices(agent),
      listOffsetsServices(host), groupOffsetsServices(groups), groupServices(groups))
    this.#listeners.push(await net.listen(this.#config.listenPeer, peers, { keepaliveMs: peerKeepaliveMs, clusters }))
    this.#listeners.push(await net.listen(this.#config.listenClient, clients, { clusters }))
    for (const { name, listen } of this.#config.listeners ?? []) {
      this.#listeners.push(await net.listen(listen, throughListener(clients, name, agent.view), { clusters }))
    }
  }

  /** Takes over what needs no restart. */
  apply ({ learnerBytesPerSecond, groupExpiryMs, listeners, rack }: LiveSettings): void {
    const { agent, host, groups } = this.#parts ?? {}
    host?.learnerThrottle.limit(learnerBytesPerSecond)
    groups?.rememberFor(groupExpiryMs)
    // Those that this process listens at: another list of listeners comes with a restart.
    const names = new Set(this.#config.listeners?.map(({ name }) => name))
    if (agent === undefined) return
    const known = { listeners: agent.self.listeners, rack: agent.self.rack }
    const told = {
      listeners: advertised(listeners.filter(({ name }) => names.has(name))),
      // Nobody can say it any more, as when the operator may not read Nodes: it still stands where it stood.
      rack: rack === '' ? known.rack : rack
    }
    if (JSON.stringify(known) !== JSON.stringify(told)) agent.advertise(told)
  }

  /** Empty when this broker serves, otherwise what it waits for. */
  notReady (): string {
    if (this.#failure !== undefined) return `the volume: ${this.#failure.message}`
    if (this.#stopping) return 'stopping'
    if (this.#parts === undefined) return 'recovering the volume'
    if (!this.#parts.agent.view.loaded) return 'not registered with a controller yet'
    return ''
  }

  metrics (): BrokerSources | undefined {
    if (this.#parts === undefined) return undefined
    const { host, agent, volume, groups } = this.#parts
    const census = agent.office?.census()
    const topics = host.stats.topics.loads(volume.replicas())
    return { stats: host.stats, topics, agent: agent.counters, volume, groups, census, ready: this.notReady() === '' }
  }

  /** For the simulator's invariants and for tests: read, never change. */
  get parts (): Parts | undefined { return this.#parts }

  /** Hands over leaderships (and the office), lets streams drain, flushes, closes. */
  async stop (): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    const parts = this.#parts
    if (parts !== undefined && this.#failure === undefined) await parts.agent.stop()
    parts?.groups.close()
    await parts?.host.stop()
    parts?.agent.close()
    await Promise.all(this.#listeners.map(async listener => { await listener.close(closeGraceMs) }))
    await this.#ports.net.close()
    await parts?.volume.close()
  }

  #fail (error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#ports.log.error({ error: error.message }, 'the volume cannot be served any more by this process')
    this.#onFatal(error)
  }
}

function advertised (listeners: readonly ListenerConfig[]): ListenerAddress[] {
  return listeners.map(({ name, address }) => ({ name, address }))
}

/** One listener's services out of several; a method is served once. */
function merged (...all: readonly Services[]): Services {
  const streams = {}
  const unary = {}
  for (const services of all) {
    for (const [from, into] of [[services.streams, streams], [services.unary, unary]] as const) {
      for (const [name, handler] of Object.entries(from ?? {})) {
        if (Object.hasOwn(into, name)) throw new WireError('INTERNAL', `${name} is served twice`)
        Object.assign(into, { [name]: handler })
      }
    }
  }
  return { streams, unary }
}
