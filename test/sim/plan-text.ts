// Plans as people hand them over: JSON of what differs from the plan that the seed draws.
import { drawPlan } from './plan.ts'
import type { FaultKind, Plan } from './plan.ts'
import { faultKinds } from './faults/kinds.ts'
import { SimRng } from './rng.ts'

export class PlanError extends Error {
  override readonly name = 'PlanError'
}

type PlainPlan = Omit<Plan, 'faults'> & { readonly faults: Readonly<Record<string, number>> }

function plain (plan: Plan): PlainPlan { return { ...plan, faults: Object.fromEntries(plan.faults) } }

/** '{"producers":1,"only":["kill#0"]}'; '{}' for the seed's own plan. */
export function formatPlan (seed: number, plan: Plan): string {
  const drawn = plain(drawPlan(new SimRng(seed)))
  const changed = Object.entries(plain(plan)).filter(([name, value]) =>
    JSON.stringify(value) !== JSON.stringify(drawn[name as keyof PlainPlan]))
  return JSON.stringify(Object.fromEntries(changed))
}

/** @throws PlanError for what is not JSON, unknown fields, values of another shape than a plan's. */
export function parsePlan (seed: number, text: string): Plan {
  const drawn = plain(drawPlan(new SimRng(seed)))
  let changes: unknown
  try {
    changes = JSON.parse(text)
  } catch (error) {
    throw new PlanError(`the plan is not JSON: ${(error as Error).message}`)
  }
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes)) {
    throw new PlanError('the plan is not a JSON object')
  }
  const models: Record<string, unknown> = { only: [''], ...drawn }
  for (const [name, value] of Object.entries(changes)) {
    if (!(name in models)) throw new PlanError(`a plan has no '${name}'; it has ${Object.keys(models).join(', ')}`)
    const model = models[name]
    if (typeof model !== typeof value || Array.isArray(model) !== Array.isArray(value) || value === null) {
      throw new PlanError(`'${name}' of a plan is like ${JSON.stringify(model)}`)
    }
  }
  const plan = { ...drawn, ...changes }
  for (const kind of Object.keys(plan.faults)) {
    if (!(faultKinds as readonly string[]).includes(kind)) {
      throw new PlanError(`no fault '${kind}'; there are ${faultKinds.join(', ')}`)
    }
  }
  return { ...plan, faults: new Map(Object.entries(plan.faults) as [FaultKind, number][]) }
}

/** The command that repeats a run. */
export function commandOf (seed: number, plan: Plan): string {
  const changes = formatPlan(seed, plan)
  return `npm run sim -- --seed ${seed}${changes === '{}' ? '' : ` --plan '${changes}'`}`
}
