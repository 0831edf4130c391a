// Makes a failing run small: leaves out whole kinds of faults, clients, topics, time, then single strikes (delta
// debugging: Zeller and Hildebrandt, TSE 2002), as long as what is left breaks the same promise.
import { calmConditions } from './network.ts'
import type { Plan } from './plan.ts'
import { runSeed } from './run.ts'
import type { RunResult } from './run.ts'

/** Takes a plan, says whether it still fails. */
export type Attempt = (change: Partial<Plan>) => Promise<boolean>

/**
 * The smallest part of `items` that `fails` was seen to be true of; no single one of it can be left out, unless
 * `fails` gave up.
 */
export async function ddmin<T> (items: readonly T[],
  fails: (some: readonly T[]) => Promise<boolean>): Promise<readonly T[]> {
  if (items.length > 0 && await fails([])) return []
  let [best, parts] = [items, 2]
  while (best.length > 1) {
    const size = Math.ceil(best.length / parts)
    let smaller: readonly T[] | undefined
    for (let from = 0; from < best.length && smaller === undefined; from += size) {
      const rest = [...best.slice(0, from), ...best.slice(from + size)]
      if (await fails(rest)) smaller = rest
    }
    if (smaller !== undefined) [best, parts] = [smaller, Math.max(2, parts - 1)]
    else if (size === 1) break
    else parts = Math.min(best.length, 2 * parts)
  }
  return best
}

export interface Shrunk {
  /** The smallest run that was found to fail in the same way; its plan repeats it. */
  readonly result: RunResult
  readonly runs: number
}

/**
 * @param secondsMax a run that is under way then is given up: one that does not heal can be many times as long
 * @param run carries out a plan of the failed run's seed
 */
export async function shrink (failed: RunResult, secondsMax: number, run = runSeed): Promise<Shrunk> {
  const endsAt = performance.now() + secondsMax * 1_000
  const isOver = (): boolean => performance.now() >= endsAt
  let [best, runs] = [failed, 0]
  const attempt: Attempt = async (change) => {
    if (isOver()) return false
    runs++
    const result = await run(failed.seed, { ...best.plan, ...change }, { isOver })
    if (result.failure === undefined || result.failure.kind !== failed.failure?.kind) return false
    best = result
    return true
  }
  // What was due and could not be done mattered in rare cases only.
  await attempt({ only: best.strikes.map(({ name }) => name) })
  for (let before = Infinity, now = sizeOf(best.plan); now < before && !isOver();) {
    await simplify(() => best, attempt)
    if (best.plan.only !== undefined) await ddmin(best.plan.only, (only) => attempt({ only }))
    ;[before, now] = [now, sizeOf(best.plan)]
  }
  return { result: best, runs }
}

function sizeOf (plan: Plan): number {
  return JSON.stringify({ ...plan, faults: [...plan.faults] }).length + plan.safetyMs
}

async function simplify (best: () => RunResult, attempt: Attempt): Promise<void> {
  for (const kind of best().plan.faults.keys()) {
    const { faults, only } = best().plan
    await attempt({
      faults: new Map([...faults].filter(([each]) => each !== kind)),
      ...only !== undefined && { only: only.filter((name) => !name.startsWith(`${kind}#`)) }
    })
  }
  const { plan, sinceFaultsMs } = best()
  if (plan.kubeFaultChance > 0) await attempt({ kubeFaultChance: 0 })
  if (plan.newAddressChance > 0) await attempt({ newAddressChance: 0 })
  if (JSON.stringify(plan.net) !== JSON.stringify(calmConditions)) await attempt({ net: calmConditions })
  if (sinceFaultsMs < plan.safetyMs) await attempt({ safetyMs: Math.ceil(sinceFaultsMs) })
  else await attempt({ safetyMs: Math.ceil(plan.safetyMs / 2) })
  if (plan.producers > 1) await attempt({ producers: 1 })
  if (plan.consumers > 1) await attempt({ consumers: 1 })
  if (plan.members > 0) await attempt({ members: 0 })
  if (plan.workers > 0) await attempt({ workers: 0 })
  if (plan.orderedByKey) await attempt({ orderedByKey: false })
  for (const { name } of plan.topics) {
    const left = best().plan.topics.filter((topic) => topic.name !== name)
    if (left.some(({ holdsDeadLetters }) => holdsDeadLetters !== true)) await attempt({ topics: left })
  }
  if (best().plan.topics.some(({ partitions }) => partitions > 1)) {
    await attempt({ topics: best().plan.topics.map((topic) => ({ ...topic, partitions: 1 })) })
  }
  if (plan.brokers > 3 && plan.topics.every(({ replicas }) => replicas <= 3)) await attempt({ brokers: 3 })
}
