// Unary calls whose answers carry an error field: a refusal is an answer, not a failed call.
import { WireError } from '../../wire/errors.ts'

export interface Refusal {
  readonly error: ReturnType<WireError['toDetail']>
}

/** Runs `ask`; a WireError becomes the answer's error field, anything else is the caller's bug and goes on. */
export async function answer<R> (ask: () => R | Promise<R>): Promise<R | Refusal> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof WireError) return { error: error.toDetail() }
    throw error
  }
}
