// What the log says of a group's queues: the fold over its steps. The start of a window is the group's committed
// offset of the partition, so that lag, reset, expiry and deletion are those of every group.
import type { Group, Verdict } from './group.ts'
import type { QueueStep } from './queue-records.ts'
import { windowParts } from './queue-records.ts'
import { QueueWindow } from './queue-window.ts'
import type { PartitionName } from './records.ts'
import { nameOf, placeOf } from './records.ts'

/** The step at `offset` of the log. */
export function applyStep (group: Group | undefined, step: QueueStep, offset: number): Verdict {
  if (group === undefined) return step.step === 'settle' ? 'LEASE_LOST' : 'stale'
  const place = nameOf(step.topicId, step.partition)
  const wasIdle = (group.windows.get(place)?.entries.size ?? 0) === 0
  const verdict = take(group, step, offset)
  const window = group.windows.get(place)
  if (window !== undefined) keepStart(group, step, window, wasIdle)
  return verdict
}

function take (group: Group, step: QueueStep, offset: number): Verdict {
  const place = nameOf(step.topicId, step.partition)
  let window = group.windows.get(place)
  switch (step.step) {
    case 'found':
      if ((window?.end ?? -1) !== step.after) return 'stale'
      if (window === undefined) {
        window = new QueueWindow(step.topic, step.found.from, group.inFlight)
        group.windows.set(place, window)
      }
      return window.found(step.found) ? 'ok' : 'stale'
    case 'take':
      // What a member that is gone was given would be nobody's.
      if (group.members.get(step.take.member)?.queue === undefined) return 'stale'
      window?.take(step.take, offset)
      return 'ok'
    case 'settle': return window?.settle(step.settle) === true ? 'ok' : 'LEASE_LOST'
    case 'lapse':
      window?.lapse(step.lease, 'its lease was not renewed')
      return 'ok'
    case 'window': return 'ok'
  }
}

/** What it says of the time is since when the first record that is not finished has been the first. */
function keepStart (group: Group, { topic, topicId, partition, at }: QueueStep, { start, entries }: QueueWindow,
  wasIdle: boolean): void {
  const place = nameOf(topicId, partition)
  const isNew = wasIdle && entries.size > 0
  if (!isNew && group.offsets.get(place)?.offset === start) return
  group.offsets.set(place, {
    group: group.name, topic, topicId, partition, offset: start, leaderEpoch: -1, metadata: '', committedAt: at,
    member: '', epoch: 0, sequence: 0
  })
}

export function dropWindow (group: Group, place: PartitionName): void {
  group.windows.get(place)?.clear()
  group.windows.delete(place)
}

export function restoreStep (group: Group, step: QueueStep): void {
  if (step.step !== 'window') return
  const place = nameOf(step.topicId, step.partition)
  const window = group.windows.get(place) ?? new QueueWindow(step.topic, step.end, group.inFlight)
  group.windows.set(place, window)
  window.restore(step.entries, step.totals)
}

export function * snapshotSteps (group: Group): Generator<QueueStep> {
  for (const [place, window] of group.windows) {
    const { topic } = window
    for (const part of windowParts(window)) yield { ...part, ...placeOf(place), group: group.name, topic, at: 0 }
  }
}
