// Reads: one object, lists by selectors, and lists in chunks that are consistent although writes go on.
import type { KubeObject } from '../object.ts'
import { ApiError, badRequest, expired } from '../status.ts'
import type { Store } from '../storage/store.ts'
import type { ResourceType } from './resource.ts'
import { present } from './resource.ts'
import { fieldMatcher, labelMatcher, selectedName } from './selectors.ts'
import type { Matcher } from './selectors.ts'

export interface ListQuery {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly limit?: number | undefined
  readonly continueToken?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: string | undefined
}

export interface ListResult {
  readonly objects: KubeObject[]
  readonly revision: number
  readonly continueToken?: string
  readonly remaining?: number
}

interface Token {
  /** The revision of the first chunk. */
  revision: number
  /** Keys up to this one were sent. */
  after: string
}

function encodeToken (token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url')
}

function decodeToken (text: string): Token {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<Token>
    if (typeof token.revision === 'number' && typeof token.after === 'string') return token as Token
  } catch {
    // Falls through: not one of ours.
  }
  throw badRequest('continue key is not valid: invalid continue token')
}

/** Throws 400 for what is no version, 504 for one from the future. */
export function parseRevision (text: string | undefined, store: Store): number | undefined {
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,15}$/.test(text)) {
    throw badRequest(`invalid resource version: resourceVersion: Invalid value: "${text}": ` +
      `strconv.ParseUint: parsing "${text}": invalid syntax`)
  }
  const revision = Number(text)
  if (revision <= store.revision) return revision
  throw new ApiError(504, 'Timeout',
    `Timeout: Too large resource version: ${revision}, current: ${store.revision}`, {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version', field: '' }]
    })
}

export function matcherOf (type: ResourceType, query: ListQuery): Matcher {
  const byLabel = labelMatcher(query.labelSelector)
  const byField = fieldMatcher(type, query.fieldSelector)
  return object => byLabel(object) && byField(object)
}

/** First of `keys` (sorted) that is greater than `after`. */
function lowerBound (keys: readonly string[], after: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle] ?? '') <= after) low = middle + 1
    else high = middle
  }
  return low
}

/** A table as it was at some revision. */
interface View {
  readonly keys: readonly string[]
  get (key: string): KubeObject | undefined
}

export class Reader {
  readonly #store: Store

  constructor (store: Store) {
    this.#store = store
  }

  list (type: ResourceType, query: ListQuery): ListResult {
    const matches = matcherOf(type, query)
    const wanted = parseRevision(query.resourceVersion, this.#store)
    const token = query.continueToken === undefined || query.continueToken === ''
      ? undefined
      : decodeToken(query.continueToken)
    const revision = token?.revision ?? (query.resourceVersionMatch === 'Exact' ? wanted : undefined) ??
      this.#store.revision
    const view = this.#view(type.table, revision, token !== undefined)
    const limit = query.limit === undefined || query.limit <= 0 ? Infinity : query.limit
    const objects: KubeObject[] = []
    const name = selectedName(query.fieldSelector)
    const keys = name !== undefined && query.namespace !== undefined
      ? [`${query.namespace}/${name}`]
      : view.keys
    const prefix = query.namespace === undefined ? undefined : `${query.namespace}/`
    let at = lowerBound(keys, token?.after ?? (prefix === undefined ? '' : prefix.slice(0, -1)))
    let last = ''
    for (; at < keys.length && objects.length < limit; at++) {
      const key = keys[at] ?? ''
      if (prefix !== undefined && !key.startsWith(prefix)) {
        if (key > prefix) break
        continue
      }
      const stored = view.get(key)
      if (stored === undefined) continue
      const object = present(type, stored)
      if (!matches(object)) continue
      objects.push(object)
      last = key
    }
    if (objects.length < limit) return { objects, revision }
    const remaining = this.#remaining(keys, at, prefix)
    if (remaining === 0) return { objects, revision }
    const isFiltered = (query.labelSelector ?? '') !== '' || (query.fieldSelector ?? '') !== ''
    return {
      objects,
      revision,
      continueToken: encodeToken({ revision, after: last }),
      ...!isFiltered && { remaining }
    }
  }

  #remaining (keys: readonly string[], at: number, prefix: string | undefined): number {
    if (prefix === undefined) return keys.length - at
    let count = 0
    while ((keys[at + count] ?? '').startsWith(prefix)) count++
    return count
  }

  /** The table at `revision`: now, or what the history can undo. */
  #view (table: string, revision: number, isContinued: boolean): View {
    if (revision >= this.#store.revision) {
      return { keys: this.#store.keys(table), get: key => this.#store.get(table, key) }
    }
    const before = new Map<string, KubeObject | undefined>()
    try {
      for (const change of this.#store.changesAfter(revision)) {
        if (change.table === table && !before.has(change.key)) before.set(change.key, change.before)
      }
    } catch (error) {
      if (!isContinued) throw error
      throw expired('The provided continue parameter is too old to display a consistent list result. ' +
        'You must start a new list without the continue parameter.')
    }
    const keys = new Set(this.#store.keys(table))
    for (const [key, object] of before) {
      if (object === undefined) keys.delete(key)
      else keys.add(key)
    }
    return {
      keys: [...keys].toSorted((a, b) => a < b ? -1 : 1),
      get: key => before.has(key) ? before.get(key) : this.#store.get(table, key)
    }
  }
}
