// Everything that one partition of __groups says: a fold over its log, nothing else. Each record is judged
// where it stands in the log, by whoever reads it and whenever: a commit that lies behind the loss of its
// partition is refused for ever, whoever appended it.
import { assert } from '../assert.ts'
import type { Group, Verdict } from './group.ts'
import { vacantGroup } from './group.ts'
import type { GroupChange, GroupOffset, GroupRecord, PartitionName } from './records.ts'
import { applyStep, dropWindow, restoreStep, snapshotSteps } from './queue-state.ts'
import { nameOf } from './records.ts'

export class GroupsState {
  readonly groups = new Map<string, Group>()

  get (group: string): Group | undefined {
    return this.groups.get(group)
  }

  clear (): void {
    this.groups.clear()
  }

  /** The record at `offset` of the log. Snapshots say nothing new. */
  apply (record: GroupRecord, offset: number): Verdict {
    switch (record.kind) {
      case 'offset': return this.#commit(record.offset)
      case 'forget':
        this.#forget(record.group, nameOf(record.topicId, record.partition))
        return 'ok'
      case 'change': return this.#change(record.change, offset)
      case 'queue': return applyStep(this.groups.get(record.step.group), record.step, offset)
      case 'snapshot': return 'ok'
    }
  }

  /** What the log's beginning stands for. */
  restore (records: readonly GroupRecord[]): void {
    for (const record of records) {
      if (record.kind === 'change') {
        const { change } = record
        this.#take(this.#made(change.group), change, change.after)
      } else if (record.kind === 'offset') {
        const { offset } = record
        this.#made(offset.group).offsets.set(placeIn(offset), offset)
      } else if (record.kind === 'queue') restoreStep(this.#made(record.step.group), record.step)
    }
  }

  /** Records that `restore` makes this state of. */
  * snapshot (): Generator<GroupRecord> {
    for (const group of this.groups.values()) {
      const { name, epoch, changedAt, members, offsets, emptyAt } = group
      const change = { group: name, after: changedAt, epoch, gone: [], emptyAt, deleted: false }
      if (changedAt >= 0) yield { kind: 'change', change: { ...change, members: [] } }
      for (const member of members.values()) yield { kind: 'change', change: { ...change, members: [member] } }
      for (const offset of offsets.values()) yield { kind: 'offset', offset }
      for (const step of snapshotSteps(group)) yield { kind: 'queue', step }
    }
  }

  #made (name: string): Group {
    let group = this.groups.get(name)
    if (group === undefined) {
      group = vacantGroup(name)
      this.groups.set(name, group)
    }
    return group
  }

  #commit (offset: GroupOffset): Verdict {
    const place = placeIn(offset)
    const group = this.groups.get(offset.group)
    if (offset.member === '') {
      if (group !== undefined && group.members.size > 0) return 'GROUP_NOT_EMPTY'
      this.#place(this.#made(offset.group), place, offset)
      return 'ok'
    }
    const heldSince = group?.members.get(offset.member)?.held.get(place)
    if (group === undefined || heldSince === undefined || offset.epoch < heldSince) return 'FENCED_MEMBER'
    // A request that was on its way for long must not undo what the same member said after it.
    const before = group.offsets.get(place)
    const late = before?.member === offset.member && offset.sequence > 0 && offset.sequence <= before.sequence
    if (!late) this.#place(group, place, offset)
    return 'ok'
  }

  /** Whoever commits an offset says that what lies before it is finished, and nothing behind it. */
  #place (group: Group, place: PartitionName, offset: GroupOffset): void {
    group.offsets.set(place, offset)
    dropWindow(group, place)
  }

  #forget (name: string, place: PartitionName): void {
    const group = this.groups.get(name)
    group?.offsets.delete(place)
    if (group !== undefined) dropWindow(group, place)
    if (group?.offsets.size === 0 && group.members.size === 0) this.groups.delete(name)
  }

  #change (change: GroupChange, offset: number): Verdict {
    const before = this.groups.get(change.group)
    if (change.after !== (before?.changedAt ?? -1)) return 'stale'
    if (change.deleted) {
      // What was committed after it was decided keeps the group.
      const used = [...before?.offsets.values() ?? []].some(({ committedAt }) => committedAt > change.emptyAt)
      if (used || (before?.members.size ?? 0) > 0) return 'stale'
      this.groups.delete(change.group)
      return 'ok'
    }
    this.#take(this.#made(change.group), change, offset)
    return 'ok'
  }

  #take (group: Group, change: GroupChange, offset: number): void {
    const released = [...change.gone, ...change.members.map(({ id }) => id)]
    for (const id of released) {
      for (const place of group.members.get(id)?.held.keys() ?? []) group.owners.delete(place)
    }
    for (const id of change.gone) {
      group.members.delete(id)
      for (const window of group.windows.values()) window.expel(id, 'its member went away')
    }
    for (const member of change.members) {
      group.members.set(member.id, member)
      for (const place of member.held.keys()) {
        assert(!group.owners.has(place), `${place} of group ${group.name} has one owner`)
        group.owners.set(place, member.id)
      }
    }
    group.epoch = change.epoch
    group.changedAt = offset
    group.emptyAt = change.emptyAt
  }
}

function placeIn ({ topicId, partition }: GroupOffset): PartitionName {
  return nameOf(topicId, partition)
}
