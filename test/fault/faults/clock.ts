// One clock for all processes of a run.

/**
 * Milliseconds of CLOCK_MONOTONIC, which all processes of a machine share: histories of several processes
 * can be merged by it, and no step of the wall clock disturbs it.
 */
export function nowMs (): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}

export async function pause (ms: number): Promise<void> {
  await new Promise<void>(resolve => { setTimeout(resolve, ms) })
}
