// What deaths cost groups, from a history: how long partitions were without a reader, groups without commits, and
// what was read twice.
import type { GroupReport } from '../../check/groups.ts'
import type { CommitOperation, Key, Operation, PollOperation } from '../../check/history.ts'
import type { Death } from './kind.ts'

/** An answer that was on its way when the coordinator died. */
const onItsWayMs = 20

export interface GroupFigures {
  /** From a member's death to the next record of each of its partitions. Infinity: never. */
  readonly takeoverMs: readonly number[]
  /** From a coordinator's death to the next commit of its group that counted. */
  readonly coordinatorMs: readonly number[]
  /** Records that were read again, by death of a member. */
  readonly repeats: readonly number[]
  /** How long before the death the first of them was finished. */
  readonly repeatedAgeMs: readonly number[]
}

/** What the member had when it died. */
function held (history: readonly Operation[], { name, atMs }: Death): Set<Key> {
  const keys = new Set<Key>()
  for (const operation of history) {
    if (operation.process !== name || operation.startMs > atMs) continue
    if (operation.kind === 'assign') for (const { key } of operation.positions) keys.add(key)
    else if (operation.kind === 'revoke') for (const key of operation.keys) keys.delete(key)
  }
  return keys
}

/** @param keys the partitions that are looked at: those that get records all the time */
export function groupFigures (history: readonly Operation[], deaths: readonly Death[],
  { takeovers }: GroupReport, keys: readonly Key[]): GroupFigures {
  const polls = history.filter((each): each is PollOperation => each.kind === 'poll' && each.group !== undefined)
  const commits = history.filter((each): each is CommitOperation =>
    each.kind === 'commit' && each.byMember === true && each.outcome === 'ok')
  const figures = { takeoverMs: [] as number[], coordinatorMs: [] as number[], repeats: [] as number[],
    repeatedAgeMs: [] as number[] }
  for (const death of deaths) {
    const { of, group, name, atMs } = death
    if (of === 'coordinator') {
      const ends = commits.filter(({ endMs, startMs, ...each }) =>
        each.group === group && endMs > atMs && (startMs > atMs || endMs > atMs + onItsWayMs)).map(({ endMs }) => endMs)
      figures.coordinatorMs.push(ends.reduce((first, endMs) => Math.min(first, endMs), Infinity) - atMs)
      continue
    }
    let repeats = 0
    let finishedAtMs = Infinity
    for (const key of held(history, death)) {
      if (!keys.includes(key)) continue
      const next = polls.find(poll => poll.group === group && poll.process !== name && poll.startMs > atMs &&
        poll.records[0]?.key === key)
      figures.takeoverMs.push((next?.startMs ?? Infinity) - atMs)
      const taken = takeovers.find(each => each.group === group && each.key === key && each.atMs > atMs)
      repeats += taken?.repeats ?? 0
      if (taken !== undefined && taken.repeats > 0) finishedAtMs = Math.min(finishedAtMs, taken.finishedAtMs)
    }
    figures.repeats.push(repeats)
    if (finishedAtMs < atMs) figures.repeatedAgeMs.push(atMs - finishedAtMs)
  }
  return figures
}

export function percentile (values: readonly number[], of: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * of / 100) - 1)] ?? NaN
}

/** Lines for people. */
export function groupTable (figures: GroupFigures, { takeovers, fenced }: GroupReport): string {
  const line = (name: string, values: readonly number[]): string => values.length === 0 ? `${name}: none` :
    `${name}: p50 ${Math.round(percentile(values, 50))}, p99 ${Math.round(percentile(values, 99))}, ` +
    `most ${Math.round(Math.max(...values))} (${values.length})`
  return [
    line('ms from a member\'s death to the next record of each of its partitions', figures.takeoverMs),
    line('ms from a coordinator\'s death to the next commit of its group', figures.coordinatorMs),
    line('records read again after a member\'s death', figures.repeats),
    line('ms before the death that the first of them was finished', figures.repeatedAgeMs),
    `${takeovers.length} times a partition went to another member, ` +
    `${takeovers.filter(each => each.repeats > 0).length} with repeats; ${fenced} commits of former owners were refused`
  ].join('\n')
}
