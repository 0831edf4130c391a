// What retention takes away: whole segments from the front, by age and by bytes, nothing uncommitted.
import type { ReplicaLogSettings } from './contract.ts'

interface SegmentSize {
  readonly end: number
  readonly bytes: number
  readonly maxTimestamp: number
  readonly closed: boolean
}

/**
 * Where the log is to begin; logStart when nothing goes.
 * @param wallTime ms since 1970.
 */
export function retainedStart (segments: readonly SegmentSize[], logStart: number, highWatermark: number,
  settings: Pick<ReplicaLogSettings, 'retentionMs' | 'retentionBytes'>, wallTime: number): number {
  const { retentionMs, retentionBytes } = settings
  let bytes = 0
  for (const segment of segments) bytes += segment.bytes
  let start = logStart
  segments.forEach((segment, i) => {
    const first = i === 0 || start === segments[i - 1]!.end
    if (!first || segment.end > highWatermark) return
    const expired = retentionMs >= 0 && segment.maxTimestamp >= 0 &&
      segment.maxTimestamp + retentionMs < wallTime
    // The last segment goes by age only: by bytes there would be nothing left to read.
    const tooMuch = retentionBytes >= 0 && i < segments.length - 1 && bytes - segment.bytes >= retentionBytes
    if (!expired && !tooMuch) return
    start = segment.end
    bytes -= segment.bytes
  })
  return start
}
