// Brokers whose volume is low on space, or full: who, and since when. Pure.
import type { Happening } from '../kube/events.ts'
import { wholeSeconds } from '../kube/micro-time.ts'
import type { Condition } from '../schema/conditions.ts'
import type { ClusterStatus } from '../schema/cluster.ts'
import { condition, type Verdict } from './conditions.ts'
import type { View } from './views.ts'

type LowDisks = NonNullable<ClusterStatus['lowDisks']>

/** What was heard last stands while nobody tells; a broker that stays on the list keeps its time. */
export function lowDisks (view: View | undefined, before: LowDisks, wallTimeMs: number): LowDisks {
  if (view === undefined) return before
  return view.lowDisks.map(({ brokerId: broker, full, lowMs }) => {
    const known = before.find(each => each.broker === broker)
    return { broker, full, since: known?.since ?? wholeSeconds(wallTimeMs - lowMs) }
  }).sort((a, b) => a.broker - b.broker)
}

/** The condition is there while it holds, and only then. */
export function diskVerdicts (disks: LowDisks): Verdict[] {
  if (disks.length === 0) return []
  const isFull = disks.some(({ full }) => full)
  const message = disks.map(({ broker, full, since }) =>
    `the volume of broker ${broker} is ${full ? 'full' : 'low on space'} since ${since}`).join('; ')
  return [{ type: 'DiskLow', status: true, reason: isFull ? 'VolumeFull' : 'VolumeLow', message }]
}

export function diskNews (before: readonly Condition[] | undefined, disks: LowDisks): Happening[] {
  const was = condition(before, 'DiskLow')
  const [now] = diskVerdicts(disks)
  if (was?.reason === now?.reason) return []
  return [now === undefined
    ? { type: 'Normal', reason: 'VolumeSpaceEnough', action: 'Reconcile', note: 'no volume is low on space any more' }
    : { type: 'Warning', reason: now.reason, action: 'Reconcile', note: now.message }]
}
