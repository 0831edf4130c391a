// Who asks the controller for changes: stands in for the operator and for people with the CLI. Asks every
// broker where the controller is, and goes on until it has been heard.
import type {
  ApplyTopicRequest, DeleteTopicRequest, ErrorDetail, Sent
} from '../../wire/messages.ts'
import { WireError } from '../../wire/errors.ts'
import type { SimCluster } from './cluster.ts'
import { SimNet } from './net.ts'
import type { SimTopic } from './topics.ts'

const callTimeoutMs = 3_000
const pauseMs = 300

interface Answer { readonly error?: Sent<ErrorDetail> | undefined }

export class SimOperator {
  readonly #cluster: SimCluster
  readonly #net: SimNet
  readonly #process
  /** The newest wish for each topic; older ones are given up. */
  readonly #wishes = new Map<string, number>()

  constructor (cluster: SimCluster) {
    this.#cluster = cluster
    this.#process = cluster.scheduler.process('operator')
    this.#net = new SimNet(cluster.network, this.#process, 'operator')
  }

  /** The topic shall be as it says; `done` runs when the controller has confirmed that. */
  apply (topic: SimTopic, done: () => void = () => {}): void {
    topic.phase = 'changing'
    const { name, partitions, replicas, minInSync, retentionBytes, segmentBytes } = topic
    const request: Sent<ApplyTopicRequest> = {
      name, partitions, replicas, minInSync, retentionMs: -1, retentionBytes, segmentBytes,
      ownerUid: `uid-${topic.objects}-of-${name}`
    }
    this.#wish(name, async (where) => {
      const answer = await this.#net.call(where, 'ApplyTopic', request, callTimeoutMs)
      if (answer.error?.code !== 'TOPIC_CONFLICT') return answer
      // A late request of an object that is no more has come between, and nobody else will take it away again.
      await this.#net.call(where, 'DeleteTopic', { name, topicId: '', deleteData: false }, callTimeoutMs)
      return { error: new WireError('UNAVAILABLE').toDetail() }
    }, () => {
      topic.phase = 'there'
      topic.partitionsThere = partitions
      done()
    })
  }

  /** Its object is gone: with `deleteData` its records too, otherwise it waits for another object to adopt it. */
  delete (topic: SimTopic, deleteData: boolean, done: () => void): void {
    topic.phase = 'changing'
    const request: Sent<DeleteTopicRequest> = { name: topic.name, topicId: '', deleteData }
    this.#wish(topic.name, (where) => this.#net.call(where, 'DeleteTopic', request, callTimeoutMs), () => {
      topic.phase = deleteData ? 'away' : 'there'
      done()
    })
  }

  #wish (name: string, ask: (controller: string) => Promise<Answer>, done: () => void): void {
    const number = (this.#wishes.get(name) ?? 0) + 1
    this.#wishes.set(name, number)
    const isCurrent = (): boolean => this.#wishes.get(name) === number
    this.#process.schedule(0, 'wish', () => {
      void this.ask(ask, isCurrent).then((error) => {
        if (!isCurrent()) return
        // Its deletion has been heard before, and the answer was lost.
        if (error !== undefined && error.code !== 'UNKNOWN_TOPIC') throw new Error(`topic ${name}: ${error.message}`)
        done()
      })
    })
  }

  /** Until the controller answers, or nobody waits any more; the error is one that will not pass by itself. */
  async ask (ask: (controller: string) => Promise<Answer>, goesOn = () => true): Promise<WireError | undefined> {
    for (let turn = 0; goesOn(); turn++) {
      const { peerAddresses } = this.#cluster
      try {
        const peer = peerAddresses[turn % peerAddresses.length]!
        const known = await this.#net.call(peer, 'AskController', { brokerId: -1 }, callTimeoutMs)
        if (known.controllerAddress !== '') {
          const { error } = await ask(known.controllerAddress)
          if (error === undefined || error.code === '') return undefined
          const refusal = WireError.fromDetail(error)
          if (!refusal.retriable) return refusal
        }
      } catch (error) {
        if (!(error instanceof WireError)) throw error
      }
      await new Promise<void>((resolve) => { this.#process.clock.setTimer(pauseMs, resolve) })
    }
    return undefined
  }
}
