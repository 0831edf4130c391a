// Assertions stay on in production: a broken invariant stops the process before it spreads.

export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws AssertionError unless `condition` holds. `message` says what was expected. */
export function assert (condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** For the default branch of a switch that must be exhaustive. */
export function unreachable (value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`)
}
