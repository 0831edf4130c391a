// JSON patch, RFC 6902, by fast-json-patch, with the answers of a Kubernetes API server.
import jsonPatch from 'fast-json-patch'
import type { Operation } from 'fast-json-patch'
import type { Json } from '../object.ts'
import { isObject } from '../object.ts'
import { ApiError, badRequest } from '../status.ts'

/** As a real server's limit. */
const operationsMax = 10_000
const operations = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test'])

function check (patch: Json): Operation[] {
  if (!Array.isArray(patch)) {
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type ' +
      'jsonpatch.Patch')
  }
  if (patch.length > operationsMax) {
    throw new ApiError(413, 'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${operationsMax}, got ${patch.length}`)
  }
  for (const operation of patch) {
    if (!isObject(operation) || typeof operation.path !== 'string' ||
        typeof operation.op !== 'string' || !operations.has(operation.op)) {
      throw rejected(`invalid operation ${JSON.stringify(operation)}`)
    }
  }
  return patch as unknown as Operation[]
}

/** A real server says no more than the first part; the rest helps. */
function rejected (why: string): ApiError {
  return new ApiError(422, 'Invalid', `the server rejected our request due to an error in our request: ${why}`, {})
}

/** `target` (which may be changed) after the patch. Throws 422 when an operation does not apply. */
export function applyJsonPatch (target: Json, patch: Json): Json {
  const list = check(patch)
  try {
    return jsonPatch.applyPatch(target, list, true, true, true).newDocument
  } catch (error) {
    throw rejected((error as Error).message.split('\n', 1)[0] ?? '')
  }
}
