// Offsets in ascending order as ranges, each without its end: 1 2 3 7 → [1, 4, 7, 8].

export function toRanges (offsets: Iterable<number>): number[] {
  const ranges: number[] = []
  for (const offset of offsets) {
    if (ranges.length > 0 && ranges.at(-1) === offset) ranges[ranges.length - 1] = offset + 1
    else ranges.push(offset, offset + 1)
  }
  return ranges
}

/** Undefined for what is no list of ascending ranges of offsets, or of more than `countMax`. */
export function fromRanges (ranges: readonly number[], countMax: number): number[] | undefined {
  const offsets: number[] = []
  let least = 0
  for (let index = 0; index < ranges.length; index += 2) {
    const first = ranges[index]!
    const end = ranges[index + 1] ?? -1
    const sound = Number.isSafeInteger(first) && Number.isSafeInteger(end) && first >= least && end > first
    if (!sound || end - first > countMax - offsets.length) return undefined
    for (let offset = first; offset < end; offset++) offsets.push(offset)
    least = end
  }
  return offsets
}
