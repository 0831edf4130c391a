// A reconcile is an ordered list of named steps, each of which may be done any number of times. A step
// leaves by name: NextLoop ends this pass on purpose, anything else is a failure that is tried again.

/** Nothing more can be done now. */
export class NextLoop extends Error {
  override readonly name = 'NextLoop'
  /** When to come back by itself; unset: an event will say so. */
  readonly afterMs: number | undefined

  constructor (options: { readonly afterMs?: number | undefined } = {}) {
    super('next loop')
    this.afterMs = options.afterMs
  }
}

/** Which step failed; `cause` is why. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
  readonly step: string

  constructor (step: string, cause: unknown) {
    super(`${step}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.step = step
  }
}

export interface Step<Context> {
  readonly name: string
  run (context: Context): Promise<void> | void
}

/** @throws NextLoop as a step threw it, StepFailed for every other error. */
export async function runSteps<Context> (steps: readonly Step<Context>[], context: Context): Promise<void> {
  for (const step of steps) {
    try {
      await step.run(context)
    } catch (error) {
      throw error instanceof NextLoop ? error : new StepFailed(step.name, error)
    }
  }
}
