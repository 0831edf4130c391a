// ApplyTopic, DeleteTopic and the internal topics: checked here, then queued on the right table.
import { WireError } from '../../wire/errors.ts'
import type {
  ApplyTopicRequest, ApplyTopicResponse, BrokerInfo, DeleteTopicRequest, DeleteTopicResponse, Sent
} from '../../wire/messages.ts'
import type { Clock, Rng } from '../../wire/ports.ts'
import type { Log } from '../io/ports.ts'
import { describeTopic } from './describe.ts'
import type { Roster } from './roster.ts'
import type { TableDraft } from './table.ts'
import { liveTopic, topicBytes } from './tables.ts'
import type { Tables } from './tables.ts'
import { alterTopic, checkTopic, createTopic, deleteTopic, groupsTopic, groupsWish } from './topics.ts'
import type { PlacementFacts, TopicWish } from './topics.ts'

/** The internal topic is made with fewer replicas when the brokers that are expected do not come. */
const expectedBrokersMs = 5_000

export interface TopicDeskOptions {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly roster: Roster
  readonly tables: Tables
  readonly brokersExpected: number
  /** False while there may be a topic of the name that the tables do not know. */
  mayChange (name: string): boolean
  /** True while it is not known whether a table is the newest. */
  isFrozen (table: string): boolean
}

export class TopicDesk {
  readonly #options: TopicDeskOptions
  /** When the first broker was there for the internal topics. */
  #waitingSince: number | undefined
  #making = false

  constructor (options: TopicDeskOptions) {
    this.#options = options
  }

  /** Answers when the topic is stored as wished; rejects with WireError. */
  async apply (request: ApplyTopicRequest): Promise<Sent<ApplyTopicResponse>> {
    const wish = checkTopic(request, this.#brokers())
    return { topic: await this.#make(wish) }
  }

  async delete (request: DeleteTopicRequest): Promise<Sent<DeleteTopicResponse>> {
    const { tables } = this.#options
    this.#requireCertainty(request.name)
    const topic = tables.topicByName(request.name)
    if (topic === undefined || (request.topicId !== '' && topic.topicId !== request.topicId)) {
      throw new WireError('UNKNOWN_TOPIC', `no topic '${request.name}'`)
    }
    await tables.operate(topic.name, 0, draft => {
      const now = draft.topics.get(topic.topicId)
      if (now === undefined) throw new WireError('UNKNOWN_TOPIC', `no topic '${request.name}'`)
      deleteTopic(draft, now, request)
    })
    return {}
  }

  /**
   * Makes the internal topics when they are due: as soon as the expected brokers are there, or with those
   * that are after a while; and gives them as many replicas as there are brokers for. Called regularly.
   */
  makeInternal (): void {
    const { clock, roster, tables, log } = this.#options
    const taking = this.#takingBrokers()
    const known = taking.length
    if (known === 0 || this.#making || !this.#options.mayChange(groupsTopic)) return
    this.#waitingSince ??= clock.now()
    const present = taking.filter(broker => roster.isServing(broker.brokerId)).length
    const waited = clock.now() - this.#waitingSince >= expectedBrokersMs
    if (present < this.#options.brokersExpected && !waited) return
    const wish = groupsWish(known)
    const topic = tables.topicByName(groupsTopic)
    if (topic?.replicas === wish.replicas) return
    this.#making = true
    this.#make(wish).catch((error: unknown) => {
      // Too few brokers live, or the office is over: the next call tries again.
      log.debug({ error: String(error) }, `${groupsTopic} has to wait`)
    }).finally(() => { this.#making = false })
  }

  async #make (wish: TopicWish): Promise<Sent<ApplyTopicResponse>['topic']> {
    const { tables, rng } = this.#options
    this.#requireCertainty(wish.name)
    const topicId = rng.hex(8)
    const table = await tables.operate(wish.name, this.#bytesFor(wish), draft => { this.#run(draft, wish, topicId) })
    const topic = liveTopic(table.topics.values(), wish.name)
    // Deleted by an operation of the same write.
    if (topic === undefined) throw new WireError('UNKNOWN_TOPIC', `topic '${wish.name}' is being deleted`)
    return describeTopic(topic, table.rows.get(topic.topicId) ?? [], tables.brokers())
  }

  #requireCertainty (name: string): void {
    const { isFrozen, mayChange, tables } = this.#options
    const table = tables.shelfByName(name)?.writer.table.name
    if (!mayChange(name) || (table !== undefined && isFrozen(table))) {
      throw new WireError('CONTROLLER_UNAVAILABLE', 'the tables are being restored')
    }
  }

  #run (draft: TableDraft, wish: TopicWish, topicId: string): void {
    this.#requireCertainty(wish.name)
    const topic = liveTopic(draft.topics.values(), wish.name)
    if (topic === undefined) createTopic(draft, wish, topicId, this.#facts())
    else alterTopic(draft, topic, wish, this.#facts())
  }

  #facts (): PlacementFacts {
    const { tables, roster } = this.#options
    return {
      brokers: this.#takingBrokers(),
      members: roster,
      isLive: brokerId => roster.isServing(brokerId),
      load: tables.load()
    }
  }

  /** Brokers that may get replicas. */
  #takingBrokers (): BrokerInfo[] {
    return [...this.#options.tables.brokers().values()].filter(broker => !broker.draining)
  }

  /** As many as there are, or are to be: those that are emptied do not stay. */
  #brokers (): number {
    const { brokersExpected, tables } = this.#options
    const taking = this.#takingBrokers().length
    return Math.max(brokersExpected - (tables.brokers().size - taking), taking)
  }

  #bytesFor (wish: TopicWish): number {
    const topic = this.#options.tables.topicByName(wish.name)
    return Math.max(0, topicBytes(wish) - (topic === undefined ? 0 : topicBytes(topic)))
  }
}
