// Who shall hold what: pure functions of members, topics and what was so far. Both are sticky: what may stay
// stays, and what they give back, given to them again, does not change.
import { assert } from '../assert.ts'
import type { PartitionName } from './records.ts'
import { nameOf, placeOf } from './records.ts'
import { Loads } from './loads.ts'

export interface AssignorMember {
  readonly id: string
  /** Empty: not known. */
  readonly rack: string
  /** Ids of the topics that it reads. */
  readonly topics: ReadonlySet<string>
}

export interface AssignorTopic {
  readonly topicId: string
  readonly partitions: number
  /** Where replicas in sync are, the leader's rack first; unknown racks are left out. */
  readonly racksOf: (partition: number) => readonly string[]
}

/** Partition → member. */
export type Target = ReadonlyMap<PartitionName, string>
export type Assign = (members: readonly AssignorMember[], topics: readonly AssignorTopic[], before: Target) => Target

function byId (a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1
}

/**
 * As many partitions for each as the subscriptions allow: where two members read a topic, one with two
 * partitions more than the other gives one away. Moves as few as that takes; a partition that has to go
 * somewhere goes to a member of its leader's rack where that keeps the balance, or of a follower's.
 */
export const assignUniformly: Assign = (members, topics, before) => {
  const sorted = [...members].sort(byId)
  const known = new Map(topics.map(topic => [topic.topicId, topic]))
  const loads = new Loads(sorted)
  const open: PartitionName[] = []
  for (const { topicId, partitions } of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      const name = nameOf(topicId, partition)
      const owner = before.get(name)
      if (owner !== undefined && loads.reads(owner, topicId)) loads.give(name, topicId, owner)
      else if (loads.hasReaders(topicId)) open.push(name)
    }
  }
  // Topics with few readers first: what only one may read must not come last to a full member.
  open.sort((a, b) => loads.readers(placeOf(a).topicId) - loads.readers(placeOf(b).topicId))
  const share = Math.floor((loads.given + open.length) / Math.max(1, sorted.length))
  const far: PartitionName[] = []
  for (const name of open) {
    const { topicId, partition } = placeOf(name)
    const near = known.get(topicId)!.racksOf(partition).map(rack => loads.lightest(topicId, rack))
      .find(id => id !== undefined && loads.of(id) < share)
    if (near === undefined) far.push(name)
    else loads.give(name, topicId, near)
  }
  for (const name of far) {
    const { topicId } = placeOf(name)
    loads.give(name, topicId, loads.lightest(topicId)!)
  }
  balance(sorted, known, loads, before)
  return loads.owners
}

function balance (members: readonly AssignorMember[], topics: ReadonlyMap<string, AssignorTopic>, loads: Loads,
  before: Target): void {
  // Each move lowers the sum of the squares of the loads: it ends.
  for (let moved = true; moved;) {
    moved = false
    const byLoad: AssignorMember[][] = []
    const place = (member: AssignorMember): void => { (byLoad[loads.of(member.id)] ??= []).push(member) }
    for (const member of members) place(member)
    // From the heaviest down, one partition at a time: who gives down to the level of all gets nothing back.
    for (let load = byLoad.length - 1; load >= 2; load--) {
      for (const member of byLoad[load] ?? []) {
        const to = loads.of(member.id) === load ? lighter(member, loads) : undefined
        if (to === undefined) continue
        const name = loads.latest(member.id, to.topicId).reduce((best, each) =>
          reluctance(each, member, to, topics, before) <= reluctance(best, member, to, topics, before) ? each : best)
        loads.take(name, to.topicId, member.id)
        loads.give(name, to.topicId, to.id)
        place(member)
        moved = true
      }
    }
  }
}

interface Receiver { readonly id: string, readonly rack: string, readonly topicId: string }

/** The lightest member that `member` has a partition for, if it is lighter by two. */
function lighter (member: AssignorMember, loads: Loads): Receiver | undefined {
  let best: Receiver | undefined
  for (const topicId of loads.topicsOf(member.id)) {
    const id = loads.lightest(topicId)!
    if (loads.of(id) + 2 > loads.of(member.id)) continue
    if (best === undefined || loads.of(id) < loads.of(best.id)) best = { id, rack: loads.rackOf(id), topicId }
  }
  return best
}

/** Which partition goes: sooner one that just came than one that was held, sooner towards its rack than away. */
function reluctance (name: PartitionName, from: AssignorMember, to: Receiver,
  topics: ReadonlyMap<string, AssignorTopic>, before: Target): number {
  const { topicId, partition } = placeOf(name)
  const racks = topics.get(topicId)!.racksOf(partition)
  return (before.get(name) === from.id ? 10 : 0) + nearness(racks, from.rack) - nearness(racks, to.rack)
}

/** 2: the leader is there; 1: a follower that readers may be served from. */
function nearness (racks: readonly string[], rack: string): number {
  const at = racks.indexOf(rack)
  return at < 0 ? 0 : at === 0 ? 2 : 1
}

/**
 * A contiguous range of each topic for each of its readers, in one order for all topics: partitions of one
 * number of topics of one size meet in one member. Who was there before keeps its place in the order.
 */
export const assignRanges: Assign = (members, topics, before) => {
  const first = new Map<string, number>()
  for (const [name, owner] of before) {
    const { partition } = placeOf(name)
    first.set(owner, Math.min(first.get(owner) ?? Infinity, partition))
  }
  const rank = ({ id }: AssignorMember): number => first.get(id) ?? Number.MAX_SAFE_INTEGER
  const sorted = [...members].sort((a, b) => rank(a) - rank(b) || byId(a, b))
  const target = new Map<PartitionName, string>()
  for (const { topicId, partitions } of topics) {
    const readers = sorted.filter(member => member.topics.has(topicId))
    let next = 0
    for (const [index, { id }] of readers.entries()) {
      const count = Math.floor(partitions / readers.length) + Number(index < partitions % readers.length)
      for (const end = next + count; next < end; next++) target.set(nameOf(topicId, next), id)
    }
    assert(readers.length === 0 || next === partitions, 'ranges cover the topic')
  }
  return target
}
