// Reaching into objects of which nothing is certain: absent or oddly typed parts read as empty.
import { isObject } from '../object.ts'

export type Dict = Record<string, unknown>

/** The object at a path; {} (a new one) when there is none. */
export function at (value: unknown, ...path: string[]): Dict {
  let held: unknown = value
  for (const name of path) held = isObject(held) ? held[name] : undefined
  return isObject(held) ? held as Dict : {}
}

/** The object at a field, made there when there is none. */
export function make (parent: Dict, name: string): Dict {
  const held = parent[name]
  if (isObject(held)) return held as Dict
  const made: Dict = {}
  parent[name] = made
  return made
}

/** The objects in a list. */
export function list (value: unknown): Dict[] {
  return Array.isArray(value) ? value.filter(item => isObject(item)) as Dict[] : []
}

export function text (value: unknown): string {
  return value === undefined || value === null ? '' : String(value as string | number | boolean)
}

export function count (value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** Sets a field that is not there. */
export function fill (parent: Dict, name: string, value: unknown): void {
  parent[name] ??= value
}
