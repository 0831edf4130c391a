// JSON merge patch, RFC 7386.
import type { Json, JsonObject } from '../object.ts'
import { getOwn, isObject, setOwn } from '../object.ts'

/** `target` with `patch` merged in; neither is changed. */
export function mergePatch (target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const result: JsonObject = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, name)
    else setOwn(result, name, mergePatch(getOwn(result, name) as Json | undefined, value))
  }
  return result
}
