// Who makes topics: stands in for the operator, which hands Topic objects to the controller. Asks every
// broker where the controller is and goes on until it has been heard.
import type { Sent, ApplyTopicRequest } from '../../wire/messages.ts'
import { WireError } from '../../wire/errors.ts'
import type { SimCluster } from './cluster.ts'
import { SimNet } from './net.ts'
import type { TopicPlan } from './plan.ts'

const callTimeoutMs = 3_000
const pauseMs = 300

export class SimOperator {
  readonly #cluster: SimCluster
  readonly #net: SimNet
  readonly #process
  /** Names of topics that exist. */
  readonly applied = new Set<string>()

  constructor (cluster: SimCluster) {
    this.#cluster = cluster
    this.#process = cluster.scheduler.process('operator')
    this.#net = new SimNet(cluster.network, this.#process, 'operator')
  }

  apply (topic: TopicPlan): void {
    const request: Sent<ApplyTopicRequest> = {
      name: topic.name, partitions: topic.partitions, replicas: topic.replicas, minInSync: topic.minInSync,
      retentionMs: -1, retentionBytes: topic.retentionBytes, segmentBytes: topic.segmentBytes,
      ownerUid: `uid-of-${topic.name}`
    }
    this.#process.schedule(0, 'apply topic', () => { void this.#loop(request) })
  }

  async #loop (request: Sent<ApplyTopicRequest>): Promise<void> {
    for (let turn = 0; !this.applied.has(request.name!); turn++) {
      const { peerAddresses } = this.#cluster
      try {
        await this.#try(peerAddresses[turn % peerAddresses.length]!, request)
      } catch (error) {
        if (!(error instanceof WireError)) throw error
      }
      await new Promise<void>((resolve) => { this.#process.clock.setTimer(pauseMs, resolve) })
    }
  }

  async #try (peer: string, request: Sent<ApplyTopicRequest>): Promise<void> {
    const known = await this.#net.call(peer, 'AskController', { brokerId: -1 }, callTimeoutMs)
    if (known.controllerAddress === '') return
    const { error } = await this.#net.call(known.controllerAddress, 'ApplyTopic', request, callTimeoutMs)
    if (error === undefined || error.code === '') this.applied.add(request.name!)
    else if (!WireError.fromDetail(error).retriable) {
      throw new Error(`topic ${request.name}: ${error.code} ${error.message}`)
    }
  }
}
