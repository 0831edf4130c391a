// Who asks the controller for changes: stands in for the operator and for people with the CLI. Asks every
// broker where the controller is, and goes on until it has been heard.
import type {
  ApplyTopicRequest, DeleteTopicRequest, ErrorDetail, RecoverPartitionRequest, Sent
} from '../../wire/messages.ts'
import { WireError } from '../../wire/errors.ts'
import type { SimCluster } from './cluster.ts'
import { SimNet } from './net.ts'
import type { SimTopic } from './topics.ts'

const callTimeoutMs = 3_000
const pauseMs = 300
const drainAgainMs = 500
/** A person looks so often, and for so long after all was whole, whether a removed broker is waited for. */
const waiveAgainMs = 500
const waiveCalmMs = 15_000
/** So long a person tries what cannot be. */
const onceMsMax = 5_000

interface Answer { readonly error?: Sent<ErrorDetail> | undefined }

export class SimOperator {
  readonly #cluster: SimCluster
  readonly #net: SimNet
  readonly #process
  /** The last wish for each topic. */
  readonly #wishes = new Map<string, Promise<void>>()
  #drains = 0
  /** One DrainBrokers at a time, as a reconciler does: an old wish that comes last would stay. */
  #draining: Promise<unknown> = Promise.resolve()
  /** The controller has heard which brokers are to be drained. */
  idle = true

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
  delete (topic: SimTopic, topicId: string, deleteData: boolean, done: () => void): void {
    topic.phase = 'changing'
    // With its id: a request that comes late must not meet the next topic of the name.
    const request: Sent<DeleteTopicRequest> = { name: topic.name, topicId, deleteData }
    this.#wish(topic.name, async (where) => {
      const answer = await this.#net.call(where, 'DeleteTopic', request, callTimeoutMs)
      // It was heard before, and the answer was lost.
      return answer.error?.code === 'UNKNOWN_TOPIC' ? {} : answer
    }, () => {
      topic.phase = deleteData ? 'away' : 'there'
      done()
    })
  }

  /** One after the other for each topic, as a reconciler does. */
  #wish (name: string, ask: (controller: string) => Promise<Answer>, done: () => void): void {
    const before = this.#wishes.get(name) ?? Promise.resolve()
    this.#wishes.set(name, before.then(async () => {
      await new Promise<void>((resolve) => { this.#process.schedule(0, 'wish', resolve) })
      const error = await this.ask(ask)
      if (error !== undefined) throw new Error(`topic ${name}: ${error.message}`)
      done()
    }))
  }

  /**
   * These shall hold nothing, all others may again; `empty` runs when they do. Level-triggered: it goes on asking
   * until it is told something else.
   */
  drain (brokerIds: readonly number[], empty: () => void = () => {}): void {
    const number = ++this.#drains
    this.idle = brokerIds.length > 0
    const isCurrent = (): boolean => this.#drains === number
    const turn = async (): Promise<void> => {
      let left = 1
      this.#draining = this.#draining.then(() => this.ask(async (where) => {
        const answer = await this.#net.call(where, 'DrainBrokers', { brokerIds: [...brokerIds] }, callTimeoutMs)
        const wanted = answer.drains.filter(({ brokerId }) => brokerIds.includes(brokerId))
        if (answer.error === undefined) {
          left = wanted.reduce((sum, { replicasLeft, dataLeft }) => sum + replicasLeft + dataLeft, 0)
        }
        return answer
      }, isCurrent))
      await this.#draining
      if (!isCurrent()) return
      this.idle = true
      if (left === 0 && await this.#areTablesWhole(isCurrent)) empty()
      else this.#process.clock.setTimer(drainAgainMs, () => { void turn() })
    }
    this.#process.schedule(0, 'drain', () => { void turn() })
  }

  /**
   * An old backup names brokers that were removed since, and restoring waits for them until a person says that they
   * will not come back (docs/operations/restore.md).
   */
  waive (isRemoved: (brokerId: number) => boolean): void {
    const { scheduler } = this.#cluster
    let troubledMs = scheduler.now
    const goesOn = (): boolean => scheduler.now - troubledMs < waiveCalmMs
    const turn = async (): Promise<void> => {
      await this.ask(async (where) => {
        const answer = await this.#net.call(where, 'RestoreTables', { dryRun: true, without: [] }, callTimeoutMs)
        const troubled = answer.tables.filter(({ reason }) => reason !== '')
        if (troubled.length > 0) troubledMs = scheduler.now
        const without = [...new Set(troubled.flatMap(({ waitingFor }) => waitingFor))]
        if (without.length === 0 || !without.every(isRemoved)) return answer
        return this.#net.call(where, 'RestoreTables', { dryRun: false, without }, callTimeoutMs)
      }, goesOn)
      if (goesOn()) this.#process.clock.setTimer(waiveAgainMs, () => { void turn() })
    }
    this.#process.schedule(0, 'waive', () => { void turn() })
  }

  /** Rows that are lost name nobody: a broker that seems to hold nothing may hold all that there is. */
  async #areTablesWhole (goesOn: () => boolean): Promise<boolean> {
    let whole = false
    await this.ask(async (where) => {
      const answer = await this.#net.call(where, 'RestoreTables', { dryRun: true, without: [] }, callTimeoutMs)
      whole = answer.error === undefined && answer.tables.every(({ reason }) => reason === '')
      return answer
    }, goesOn)
    return whole
  }

  /** The pod of that broker is gone for good. */
  forget (brokerId: number, done: () => void): void {
    this.#process.schedule(0, 'forget broker', () => {
      void this.ask((where) => this.#net.call(where, 'RemoveBroker', { brokerId }, callTimeoutMs)).then((error) => {
        // The answer before this one was lost.
        if (error !== undefined && error.code !== 'UNKNOWN_BROKER') throw error
        done()
      })
    })
  }

  /** Other replicas for a partition; none: its move is given up. May be refused, as may everything a person asks. */
  move (topic: string, partition: number, replicas: readonly number[]): void {
    const request = { targets: [{ topic, partition, replicas: [...replicas] }] }
    this.#once((where) => this.#net.call(where, 'MovePartitions', request, callTimeoutMs))
  }

  /** @param leader a broker id, or -1 for the preferred one */
  elect (topic: string, partition: number, leader: number): void {
    const request = { partitions: [{ topic, partition }], leader }
    this.#once((where) => this.#net.call(where, 'ElectLeaders', request, callTimeoutMs))
  }

  recover (request: Sent<RecoverPartitionRequest>, done: (error: WireError | undefined) => void): void {
    this.#process.schedule(0, 'recover', () => {
      void this.ask((where) => this.#net.call(where, 'RecoverPartition', request, callTimeoutMs)).then(done)
    })
  }

  #once (ask: (controller: string) => Promise<Answer>): void {
    const { scheduler } = this.#cluster
    const untilMs = scheduler.now + onceMsMax
    this.#process.schedule(0, 'ask', () => { void this.ask(ask, () => scheduler.now < untilMs) })
  }

  /** Until the controller answers, or nobody waits any more; the error is one that will not pass by itself. */
  async ask (ask: (controller: string) => Promise<Answer>, goesOn = () => true): Promise<WireError | undefined> {
    for (let turn = 0; goesOn(); turn++) {
      const { peerNames } = this.#cluster
      try {
        const peer = peerNames[turn % peerNames.length]!
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
