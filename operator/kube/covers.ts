// Does the object in the API server already say what we want? Servers fill in defaults, so the live
// object may say more; it may not say anything else.
import { sameQuantity } from '../schema/quantities.ts'

/** Maps from names to Kubernetes quantities, which have several spellings. */
const quantityMaps = new Set(['requests', 'limits', 'capacity'])

/** True when every field of `wanted` is in `live` with the same value. Undefined fields do not count. */
export function covers (live: unknown, wanted: unknown, field = ''): boolean {
  if (wanted === live) return true
  if (Array.isArray(wanted)) return Array.isArray(live) && coversList(live, wanted)
  if (typeof wanted !== 'object' || wanted === null || typeof live !== 'object' || live === null) return false
  for (const [name, value] of Object.entries(wanted) as [string, unknown][]) {
    if (value === undefined) continue
    const other: unknown = Object.hasOwn(live, name) ? (live as Record<string, unknown>)[name] : undefined
    if (quantityMaps.has(field) && typeof value === 'string' && typeof other === 'string') {
      if (!sameQuantity(value, other)) return false
    } else if (!covers(other, value, name) && !isEmpty(other, value)) {
      return false
    }
  }
  return true
}

/** Named entries (containers, ports, volumes) are found by name: others may have added some. */
function coversList (live: readonly unknown[], wanted: readonly unknown[]): boolean {
  if (wanted.length > live.length) return false
  const named = wanted.every(item => nameOf(item) !== undefined)
  if (!named) return live.length === wanted.length && wanted.every((item, index) => covers(live[index], item))
  return wanted.every(item => {
    const other = live.find(candidate => nameOf(candidate) === nameOf(item))
    return other !== undefined && covers(other, item)
  })
}

function nameOf (item: unknown): string | undefined {
  const name = (item as { name?: unknown } | null)?.name
  return typeof name === 'string' ? name : undefined
}

/** An empty list or map is stored as nothing. */
function isEmpty (live: unknown, wanted: unknown): boolean {
  return live === undefined && typeof wanted === 'object' && wanted !== null && Object.keys(wanted).length === 0
}
