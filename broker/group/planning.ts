// The next step of a group: a pure function of its state, of what its members want and of who shall hold
// what. A partition is given away only when nobody holds it: its holder has released it, or is gone
// (KIP-848's reconciliation; nobody else pauses).
import { groupChangeBytesMax } from '../limits.ts'
import type { GroupAssignor } from '../../wire/messages.ts'
import { assignRanges, assignUniformly } from './assignors.ts'
import type { Assign, AssignorTopic, Target } from './assignors.ts'
import type { GroupChange, Member, MemberWish, PartitionName } from './records.ts'
import { placeOf } from './records.ts'
import type { Group } from './group.ts'

/** What has come in and is not in the log yet. */
export interface Wishes {
  /** Members that are new, or want something else than before. */
  readonly joining: ReadonlyMap<string, MemberWish>
  /** New member → the member whose partitions it takes over: one instanceId, a new process. */
  readonly replacing: ReadonlyMap<string, string>
  readonly leaving: ReadonlySet<string>
  /** By member: partitions that it released, with the epoch in which it had got them. */
  readonly released: ReadonlyMap<string, ReadonlyMap<PartitionName, number>>
}

/** A topic by the name that members use. */
export type TopicOf = (name: string) => AssignorTopic | undefined

/** The members as they will be, by the wishes. */
function wanted (group: Group, { joining, replacing, leaving }: Wishes): Map<string, MemberWish> {
  const members = new Map<string, MemberWish>(group.members)
  for (const id of [...leaving, ...replacing.values()]) members.delete(id)
  for (const [id, wish] of joining) members.set(id, wish)
  return members
}

/** What most members that say something say. */
export function assignorOf (members: Iterable<MemberWish>): GroupAssignor {
  let uniform = 0
  let range = 0
  for (const { assignor } of members) {
    if (assignor === 'GROUP_ASSIGNOR_UNIFORM') uniform++
    if (assignor === 'GROUP_ASSIGNOR_RANGE') range++
  }
  return range > uniform ? 'GROUP_ASSIGNOR_RANGE' : 'GROUP_ASSIGNOR_UNIFORM'
}

/** Who shall hold what, as near as can be to `before` and to who holds what now. */
export function planTarget (group: Group, wishes: Wishes, topicOf: TopicOf, before: Target): Target {
  const members = wanted(group, wishes)
  const topics = new Map<string, AssignorTopic>()
  /** Members with a topic that is not known here now. */
  const inDoubt = new Set<string>()
  // Members of a queue hold no partitions.
  const sharing = [...members.values()].filter(({ queue }) => queue === undefined)
  const readers = sharing.map(({ id, rack, topics: names }) => {
    const mine = new Set<string>()
    for (const name of names) {
      const topic = topicOf(name)
      if (topic === undefined) {
        inDoubt.add(id)
        continue
      }
      mine.add(topic.topicId)
      topics.set(topic.topicId, topic)
    }
    return { id, rack, topics: mine }
  })
  const heir = new Map([...wishes.replacing].map(([heir, old]) => [old, heir]))
  const base = new Map<PartitionName, string>()
  for (const [name, id] of group.owners) base.set(name, heir.get(id) ?? id)
  // What is on its way to somebody keeps going there.
  for (const [name, id] of before) if (members.has(heir.get(id) ?? id)) base.set(name, heir.get(id) ?? id)
  const assign: Assign = assignorOf(members.values()) === 'GROUP_ASSIGNOR_RANGE' ? assignRanges : assignUniformly
  const target = new Map(assign(readers, [...topics.values()].sort((a, b) => a.topicId < b.topicId ? -1 : 1), base))
  // A topic may be away for a moment (tables that are being restored): nobody loses it for that.
  for (const [name, id] of base) {
    if (inDoubt.has(id) && !topics.has(placeOf(name).topicId)) target.set(name, id)
  }
  return target
}

class Draft {
  readonly #group: Group
  readonly #epoch: number
  readonly #members = new Map<string, { wish: MemberWish, held: Map<PartitionName, number> }>()
  readonly #gone = new Set<string>()
  /** About the bytes of the record. */
  #bytes = 0

  constructor (group: Group) {
    this.#group = group
    this.#epoch = group.epoch + 1
  }

  get isFull (): boolean { return this.#bytes > groupChangeBytesMax }
  get isEmpty (): boolean { return this.#members.size === 0 && this.#gone.size === 0 }

  has (id: string): boolean {
    return !this.#gone.has(id) && (this.#members.has(id) || this.#group.members.has(id))
  }

  member (id: string, wish?: MemberWish): { wish: MemberWish, held: Map<PartitionName, number> } {
    const before = this.#group.members.get(id)
    let member = this.#members.get(id)
    if (member === undefined) {
      member = { wish: wish ?? before!, held: new Map(before?.held) }
      this.#members.set(id, member)
      this.#bytes += 300 + 4 * member.held.size + JSON.stringify(member.wish.topics).length
    }
    if (wish !== undefined) member.wish = wish
    return member
  }

  remove (id: string): void {
    this.#members.delete(id)
    this.#gone.add(id)
    this.#bytes += 20
  }

  give (id: string, name: PartitionName): void {
    this.member(id).held.set(name, this.#epoch)
    this.#bytes += 8
  }

  finish (wallMs: number): GroupChange {
    const { name, changedAt, members } = this.#group
    const left = [...members.keys()].some(id => !this.#gone.has(id)) || this.#members.size > 0
    return {
      group: name,
      after: changedAt,
      epoch: this.#epoch,
      members: [...this.#members.values()].map(({ wish, held }): Member =>
        ({ ...plain(wish), epoch: this.#epoch, held })),
      gone: [...this.#gone],
      emptyAt: left ? 0 : wallMs,
      deleted: false
    }
  }
}

function plain (wish: MemberWish): MemberWish {
  const {
    id, instanceId, rack, client, topics, assignor, sessionTimeoutMs, instanceGraceMs, releaseTimeoutMs, queue
  } = wish
  return { id, instanceId, rack, client, topics, assignor, sessionTimeoutMs, instanceGraceMs, releaseTimeoutMs, queue }
}

/**
 * What can be done now; undefined for nothing. What does not fit in one record is left for the next.
 * @param withMembers false: members come and go later, only partitions move
 */
export function nextChange (group: Group, wishes: Wishes, target: Target, withMembers: boolean,
  wallMs: number): GroupChange | undefined {
  const draft = new Draft(group)
  const free = new Set<PartitionName>()
  if (withMembers) membership(group, wishes, draft, free)
  for (const [id, released] of wishes.released) {
    const member = draft.has(id) ? group.members.get(id) : undefined
    for (const [name, epoch] of released) {
      if (member?.held.get(name) !== epoch) continue
      draft.member(id).held.delete(name)
      free.add(name)
    }
  }
  for (const [name, id] of target) {
    if (draft.isFull) break
    if ((!group.owners.has(name) || free.has(name)) && draft.has(id)) draft.give(id, name)
  }
  return draft.isEmpty ? undefined : draft.finish(wallMs)
}

function membership (group: Group, wishes: Wishes, draft: Draft, free: Set<PartitionName>): void {
  const heirs = new Set(wishes.replacing.values())
  for (const id of wishes.leaving) {
    const member = group.members.get(id)
    if (member === undefined || heirs.has(id)) continue
    draft.remove(id)
    for (const name of member.held.keys()) free.add(name)
  }
  for (const [id, wish] of wishes.joining) {
    if (draft.isFull) return
    const old = wishes.replacing.get(id)
    const { held } = draft.member(id, wish)
    if (old === undefined) continue
    const before = group.members.get(old)
    if (before === undefined) continue
    draft.remove(old)
    // The same partitions, in a new epoch: what the old process still says counts no more.
    for (const name of before.held.keys()) held.set(name, group.epoch + 1)
  }
}
