// How many partitions each member has, with the lightest of those that may read a topic at hand: a change of
// a group with thousands of partitions is planned in milliseconds.
import { assert } from '../assert.ts'
import type { AssignorMember } from './assignors.ts'
import type { PartitionName } from './records.ts'

const latestMax = 8

/** Members that read the same topics in the same rack are alike; by their load, in order of coming to it. */
class Alike {
  readonly topics: ReadonlySet<string>
  readonly rack: string
  readonly #byLoad: Set<string>[] = [new Set()]
  #least = 0
  size = 0

  constructor ({ topics, rack }: AssignorMember) {
    this.topics = topics
    this.rack = rack
  }

  add (id: string, load: number): void {
    while (this.#byLoad.length <= load) this.#byLoad.push(new Set())
    this.#byLoad[load]!.add(id)
    this.#least = Math.min(this.#least, load)
  }

  remove (id: string, load: number): void {
    this.#byLoad[load]!.delete(id)
  }

  get lightest (): { readonly id: string, readonly load: number } {
    while (this.#byLoad[this.#least]!.size === 0) this.#least++
    const [id] = this.#byLoad[this.#least]!
    return { id: id!, load: this.#least }
  }
}

interface Share {
  readonly alike: Alike
  load: number
  /** By topic, in order of coming. */
  readonly held: Map<string, PartitionName[]>
}

export class Loads {
  readonly owners = new Map<PartitionName, string>()
  readonly #shares = new Map<string, Share>()
  readonly #byTopic = new Map<string, Alike[]>()

  constructor (members: readonly AssignorMember[]) {
    const alikes = new Map<string, Alike>()
    for (const member of members) {
      const key = JSON.stringify([member.rack, ...[...member.topics].sort()])
      let alike = alikes.get(key)
      if (alike === undefined) {
        alike = new Alike(member)
        alikes.set(key, alike)
        for (const topicId of member.topics) {
          const list = this.#byTopic.get(topicId)
          if (list === undefined) this.#byTopic.set(topicId, [alike])
          else list.push(alike)
        }
      }
      alike.size++
      alike.add(member.id, 0)
      this.#shares.set(member.id, { alike, load: 0, held: new Map() })
    }
  }

  get given (): number { return this.owners.size }

  of (id: string): number {
    return this.#shares.get(id)!.load
  }

  rackOf (id: string): string {
    return this.#shares.get(id)!.alike.rack
  }

  reads (id: string, topicId: string): boolean {
    return this.#shares.get(id)?.alike.topics.has(topicId) === true
  }

  hasReaders (topicId: string): boolean {
    return this.#byTopic.has(topicId)
  }

  readers (topicId: string): number {
    return (this.#byTopic.get(topicId) ?? []).reduce((sum, alike) => sum + alike.size, 0)
  }

  /** The reader of the topic with the fewest partitions, of all or of one rack. */
  lightest (topicId: string, rack?: string): string | undefined {
    let best: { readonly id: string, readonly load: number } | undefined
    for (const alike of this.#byTopic.get(topicId) ?? []) {
      if (rack !== undefined && alike.rack !== rack) continue
      const { lightest } = alike
      if (best === undefined || lightest.load < best.load) best = lightest
    }
    return best?.id
  }

  topicsOf (id: string): Iterable<string> {
    return this.#shares.get(id)!.held.keys()
  }

  /** The last that came, some of them: enough to choose from, few enough to look at each time. */
  latest (id: string, topicId: string): PartitionName[] {
    return this.#shares.get(id)!.held.get(topicId)?.slice(-latestMax) ?? []
  }

  give (name: PartitionName, topicId: string, id: string): void {
    assert(!this.owners.has(name), `${name} is given once`)
    const share = this.#shares.get(id)!
    this.owners.set(name, id)
    const held = share.held.get(topicId) ?? []
    held.push(name)
    share.held.set(topicId, held)
    this.#reload(id, share, 1)
  }

  take (name: PartitionName, topicId: string, id: string): void {
    assert(this.owners.get(name) === id, `${name} is taken from its owner`)
    const share = this.#shares.get(id)!
    this.owners.delete(name)
    const held = share.held.get(topicId)!
    held.splice(held.lastIndexOf(name), 1)
    if (held.length === 0) share.held.delete(topicId)
    this.#reload(id, share, -1)
  }

  #reload (id: string, share: Share, by: number): void {
    share.alike.remove(id, share.load)
    share.load += by
    share.alike.add(id, share.load)
  }
}
