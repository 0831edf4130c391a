// Aligned columns for people.

/** Rows under a header; numbers to the right. */
export function table (header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, String(row[column] ?? '').length), title.length))
  const numeric = header.map((_, column) => rows.length > 0 && rows.every(row => typeof row[column] === 'number'))
  const line = (cells: readonly (string | number)[]): string => cells
    .map((cell, column) => numeric[column] === true
      ? String(cell).padStart(widths[column]!)
      : String(cell).padEnd(widths[column]!))
    .join('  ')
    .trimEnd()
  return [line(header), ...rows.map(line)].join('\n') + '\n'
}

/** -1 and absent values as a dash. */
export function orDash (value: number | string | undefined): string {
  return value === undefined || value === -1 || value === '' ? '-' : String(value)
}

/** Milliseconds as people write retention: 7d, 36h, 90m, 30s. */
export function duration (ms: number): string {
  if (ms < 0) return 'unlimited'
  for (const [unit, size] of [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  }
  return `${ms}ms`
}

export function bytes (value: number): string {
  if (value < 0) return 'unlimited'
  for (const [unit, size] of [['Ti', 2 ** 40], ['Gi', 2 ** 30], ['Mi', 2 ** 20], ['Ki', 2 ** 10]] as const) {
    if (value >= size && value % size === 0) return `${value / size}${unit}`
  }
  return String(value)
}
