// The topics of a run as they are wished now, and which topic a name means: one that was deleted and made
// again is another, with offsets of its own.
import type { Key } from '../check/history.ts'
import type { TopicPlan } from './plan.ts'

/**
 * there: the controller has confirmed it. changing: it has been asked for something. away: deleted with its
 * data, until it is made again.
 */
export type TopicPhase = 'changing' | 'there' | 'away'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface SimTopic extends Mutable<TopicPlan> {
  phase: TopicPhase
  /** As the controller has confirmed them: clients use these. */
  partitionsThere: number
  /** Given to each object that stands for it in the API, as its uid. */
  objects: number
}

export class Topics {
  readonly all: readonly SimTopic[]
  /** Ids that a name has had, in order. */
  readonly #ids = new Map<string, string[]>()

  constructor (plans: readonly TopicPlan[]) {
    this.all = plans.map((plan) => ({ ...plan, phase: 'changing', partitionsThere: plan.partitions, objects: 1 }))
  }

  /** Those that producers write to; the dead-letter topic is written to by workers alone. */
  get ordinary (): readonly SimTopic[] { return this.all.filter(({ holdsDeadLetters }) => holdsDeadLetters !== true) }

  /** Those of them whose records stay for good: groups read these. */
  get lasting (): readonly SimTopic[] {
    return this.ordinary.filter(({ transient, expendable }) => transient !== true && expendable !== true)
  }

  /** Of queue groups. */
  get deadLetters (): SimTopic | undefined { return this.all.find(({ holdsDeadLetters }) => holdsDeadLetters === true) }

  get (name: string): SimTopic {
    const topic = this.all.find((each) => each.name === name)
    if (topic === undefined) throw new Error(`no topic ${name} in this run`)
    return topic
  }

  /** Told of every topic that a table holds and that is not being deleted. */
  seen (name: string, topicId: string): void {
    const ids = this.#ids.get(name) ?? []
    this.#ids.set(name, ids)
    if (!ids.includes(topicId)) ids.push(topicId)
  }

  /** Of the newest topic of that name; empty while there was none. */
  idOf (name: string): string { return this.#ids.get(name)?.at(-1) ?? '' }

  nameOf (topicId: string): string {
    return [...this.#ids].find(([, ids]) => ids.includes(topicId))?.[0] ?? ''
  }

  /** The partition's key in the history: 't0-3', or 't0~1-3' for the second topic of the name. */
  key (name: string, topicId: string, partition: number): Key {
    const index = this.#ids.get(name)?.indexOf(topicId) ?? -1
    return index > 0 ? `${name}~${index}-${partition}` : `${name}-${partition}`
  }

  /** Keys and ids of all partitions that are there now, or of those of some topics. */
  partitions (topics = this.all): { key: Key, id: string }[] {
    return topics.flatMap(({ name, partitionsThere }) => {
      const topicId = this.idOf(name)
      return Array.from({ length: partitionsThere }, (_, partition) =>
        ({ key: this.key(name, topicId, partition), id: `${topicId}-${partition}` }))
    })
  }

  /** For each topic that is gone, which keys were its own. */
  gone (): ((key: Key) => boolean)[] {
    return [...this.#ids].flatMap(([name, ids]) => ids.slice(0, -1).map((topicId) => {
      const start = this.key(name, topicId, 0).slice(0, -1)
      return (key: Key) => key.startsWith(start)
    }))
  }

  /** Names that have meant more than one topic. */
  get remade (): boolean { return [...this.#ids.values()].some((ids) => ids.length > 1) }
}
