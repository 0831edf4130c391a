// Is it the same JSON? Asked for every topic whenever a controller tells what it has: it makes nothing.

/** True for equal JSON, whatever the order of an object's fields. A field that is undefined is none. */
export function same (left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left) || Array.isArray(right)) {
    return Array.isArray(left) && Array.isArray(right) && left.length === right.length &&
      left.every((item, index) => same(item, right[index]))
  }
  return hasAll(left as Fields, right as Fields) && hasAll(right as Fields, left as Fields, true)
}

type Fields = Readonly<Record<string, unknown>>

/** @param known what both have has been compared already */
function hasAll (left: Fields, right: Fields, known = false): boolean {
  for (const name in left) {
    const value = left[name]
    if (value === undefined) continue
    const other = Object.hasOwn(right, name) ? right[name] : undefined
    if (known ? other === undefined : !same(value, other)) return false
  }
  return true
}
