// How the API server prints cells: ages as kubectl shows them, <none> for nothing.

/** `5s`, `3m20s`, `4h`, `2d3h`, as k8s.io/apimachinery's HumanDuration. */
export function humanDuration (milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return withRest(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return withRest(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (hours < 192) return withRest(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? withRest(years, 'y', days % 365, 'd') : `${years}y`
}

function withRest (whole: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${whole}${unit}` : `${whole}${unit}${rest}${restUnit}`
}

/** The age of a timestamp; `<unknown>` without one. */
export function age (timestamp: unknown, now: number): string {
  if (typeof timestamp !== 'string') return '<unknown>'
  return humanDuration(now - Date.parse(timestamp))
}

export function orNone (text: string | undefined): string {
  return text === undefined || text === '' ? '<none>' : text
}

/** `{a: 'b', c: 'd'}` → `a=b,c=d`. */
export function labelsText (labels: unknown): string {
  if (typeof labels !== 'object' || labels === null) return '<none>'
  return orNone(Object.entries(labels).toSorted(([a], [b]) => a < b ? -1 : 1)
    .map(([key, value]) => `${key}=${String(value)}`).join(','))
}

/** A metav1.LabelSelector as text. */
export function selectorText (selector: unknown): string {
  if (typeof selector !== 'object' || selector === null) return '<none>'
  const { matchLabels, matchExpressions } = selector as {
    matchLabels?: Record<string, string>
    matchExpressions?: { key: string, operator: string, values?: string[] }[]
  }
  const parts = Object.entries(matchLabels ?? {}).toSorted(([a], [b]) => a < b ? -1 : 1)
    .map(([key, value]) => `${key}=${value}`)
  for (const { key, operator, values } of matchExpressions ?? []) {
    if (operator === 'Exists') parts.push(key)
    else if (operator === 'DoesNotExist') parts.push(`!${key}`)
    else parts.push(`${key} ${operator.toLowerCase()} (${(values ?? []).toSorted().join(',')})`)
  }
  return orNone(parts.join(','))
}
