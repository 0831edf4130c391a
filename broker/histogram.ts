// Counts of values by size; metrics.ts exports them. One comparison a bucket, no object a value.

/** Upper bounds for latencies, in ms; one more bucket holds what is slower. */
export const latencyBucketsMs =
  [0.5, 1, 2, 3, 5, 7.5, 10, 15, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const

export class LatencyHistogram {
  /** Values up to each bound of latencyBucketsMs and above the one before; then those that are slower. */
  readonly counts = new Array<number>(latencyBucketsMs.length + 1).fill(0)
  sumMs = 0

  observe (latencyMs: number): void {
    let bucket = 0
    while (bucket < latencyBucketsMs.length && latencyMs > latencyBucketsMs[bucket]!) bucket++
    this.counts[bucket]!++
    this.sumMs += latencyMs
  }
}
