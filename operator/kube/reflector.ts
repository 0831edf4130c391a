// A local copy of the objects of one kind, kept current by list and watch as client-go's reflector does.
// It never gives up: an expired version lists again, any other end watches on after a pause, silence is
// taken for a broken watch.
import type { Clock, Rng, Timer } from '../../wire/ports.ts'
import { isKubeError, type KubeApi, type KubeError, type Query, type WatchEvent } from './api.ts'
import type { Log } from './log.ts'
import { outageMsMin } from './outage.ts'
import { keyOf, type Kind, type KubeObject, type ObjectMeta } from './types.ts'

const pageSize = 500
const backoffMsMin = 200
const backoffMsMax = 30_000
/** Many come back at once when a server does. */
const soonMsMax = 500
/** API servers send a bookmark about once a minute: two missed and a half. */
const silenceMsMax = 150_000
/** A list now and then repairs what a faulty watch has left out. */
const listAgeMsMax = 30 * 60_000
/** After so many watches that failed at once the version itself is doubted (an API restored from a backup). */
const watchFailuresMax = 3
/** The whole object once more, as client-side `kubectl apply` leaves it behind. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

export interface ReflectorOptions<T extends KubeObject> {
  readonly api: KubeApi
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly kind: Kind
  readonly query: Query
  /** Drops what nobody reads, before it is kept. managedFields are always dropped. */
  readonly trim?: (object: T) => T
}

/** `object` is undefined when it is gone, `previous` when it is new. */
export type ChangeHandler<T> = (key: string, object: T | undefined, previous: T | undefined) => void

export class Reflector<T extends KubeObject> {
  /** Resolves once the first list is in. */
  readonly synced: Promise<void>
  /** Resolves once that is so, or the server has refused it: the right is missing, or what is asked for. */
  readonly answered: Promise<void>
  readonly kind: Kind
  readonly #options: ReflectorOptions<T>
  readonly #objects = new Map<string, T>()
  readonly #handlers: ChangeHandler<T>[] = []
  #resolveSynced: () => void = () => {}
  #resolveAnswered: () => void = () => {}
  #isSynced = false
  #isRefused = false
  #resourceVersion = ''
  #listedAt = -Infinity
  #heardAt: number
  /** When the watch was opened: it may be silent for so long from there. */
  #openedAt = -Infinity
  #backoffMs = backoffMsMin
  #timer: Timer | undefined
  /** The server wants to be asked no sooner. */
  #askedAgainAt = -Infinity
  /** What it pauses before. */
  #again: (() => void) | undefined
  #watchdog: Timer | undefined
  #stopWatch: (() => void) | undefined
  #stopped = false
  #restarts = 0
  #watchFailures = 0

  constructor (options: ReflectorOptions<T>) {
    this.#options = options
    this.kind = options.kind
    this.#heardAt = options.clock.now()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.synced = promise
    this.#resolveSynced = () => { this.#isSynced = true; resolve() }
    const answer = Promise.withResolvers<void>()
    this.answered = answer.promise
    this.#resolveAnswered = answer.resolve
  }

  start (): void {
    void this.#list()
  }

  stop (): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#watchdog?.cancel()
    this.#stopWatch?.()
  }

  /**
   * The server answers again: a pause that has grown long while it did not is over within a moment, but for one that
   * the server itself asked for. A watch that has brought nothing meanwhile is opened again: it may lead to a server
   * that is gone.
   */
  retrySoon (): void {
    if (this.#stopped) return
    const soonMs = soonMsMax * this.#options.rng.fraction()
    if (this.#again !== undefined) {
      this.#backoffMs = backoffMsMin
      this.#pause(Math.max(soonMs, this.#askedAgainAt - this.#options.clock.now()), this.#again)
    } else if (this.#stopWatch !== undefined && this.#watchSilenceMs >= outageMsMin) {
      this.#watchdog?.cancel()
      this.#stopWatch()
      this.#stopWatch = undefined
      this.#restarts++
      this.#pause(soonMs, () => { this.#watch() })
    }
  }

  get isSynced (): boolean { return this.#isSynced }
  /** It was never read, since the server does not let it be. */
  get isRefused (): boolean { return this.#isRefused && !this.#isSynced }
  get size (): number { return this.#objects.size }
  /** How often listing or watching failed. */
  get restarts (): number { return this.#restarts }

  /** Milliseconds since the last list, event or bookmark. Opening a watch is none: an API server may hang. */
  get silenceMs (): number { return this.#options.clock.now() - this.#heardAt }
  get #watchSilenceMs (): number { return this.#options.clock.now() - Math.max(this.#heardAt, this.#openedAt) }

  get (key: string): T | undefined { return this.#objects.get(key) }
  values (): IterableIterator<T> { return this.#objects.values() }

  /** Called for every change after it is in the copy, also for those of the first list. */
  onChange (handler: ChangeHandler<T>): void {
    this.#handlers.push(handler)
  }

  /** Takes in the answer to an own write, so that the next reader does not act on the state before. */
  observe (object: KubeObject): void {
    const known = this.#objects.get(keyOf(object))
    if (known === undefined || isNewer(object, known)) this.#set(object)
  }

  /** Takes in an own delete: gone for the next reader; an event brings it back while it terminates. */
  observeDeleted (object: KubeObject): void {
    const known = this.#objects.get(keyOf(object))
    if (known?.metadata.uid === object.metadata.uid) this.#remove(keyOf(object))
  }

  async #list (): Promise<void> {
    const { api, kind, query, clock, log } = this.#options
    try {
      const seen = new Set<string>()
      let token = ''
      do {
        const page = await api.list(kind, { ...query, limit: pageSize, continue: token })
        if (this.#stopped) return
        for (const item of page.items) {
          seen.add(keyOf(item))
          this.#set(item)
        }
        this.#resourceVersion = page.resourceVersion
        token = page.continue
      } while (token !== '')
      for (const key of [...this.#objects.keys()]) if (!seen.has(key)) this.#remove(key)
      this.#listedAt = this.#heardAt = clock.now()
      this.#watchFailures = 0
      this.#resolveSynced()
      this.#resolveAnswered()
      this.#watch()
    } catch (error) {
      if (!isKubeError(error)) throw error
      const isRefusal = error.status === 403 || error.status === 404
      // What stays refused is said once.
      log[isRefusal && this.#isRefused ? 'debug' : 'warn'](
        { kind: kind.kind, reason: error.reason, err: error.message }, 'list failed')
      this.#isRefused = isRefusal
      if (isRefusal) this.#resolveAnswered()
      this.#retry(() => { void this.#list() }, error)
    }
  }

  #watch (): void {
    const { api, clock, rng, kind, query } = this.#options
    if (this.#stopped) return
    const timeoutSeconds = 240 + rng.integer(60)
    this.#openedAt = clock.now()
    this.#stopWatch = api.watch(kind, { ...query, resourceVersion: this.#resourceVersion, timeoutSeconds }, {
      event: event => { this.#event(event) },
      end: error => { this.#ended(error) }
    })
    this.#guard()
  }

  /** A watch that says nothing at all, not even a bookmark, is broken without knowing it. */
  #guard (): void {
    this.#watchdog?.cancel()
    this.#watchdog = this.#options.clock.setTimer(silenceMsMax - this.#watchSilenceMs, () => {
      if (this.#watchSilenceMs < silenceMsMax) { this.#guard(); return }
      this.#options.log.info({ kind: this.kind.kind }, 'watch was silent, opening it again')
      this.#stopWatch?.()
      this.#restarts++
      this.#watch()
    })
  }

  #event (event: WatchEvent): void {
    this.#heardAt = this.#options.clock.now()
    this.#backoffMs = backoffMsMin
    this.#watchFailures = 0
    const version = event.object.metadata.resourceVersion
    if (version !== undefined) this.#resourceVersion = version
    if (event.type === 'BOOKMARK') return
    const key = keyOf(event.object)
    const known = this.#objects.get(key)
    // An own write may have been taken in before its event, or a later one.
    if (known !== undefined && isNewer(known, event.object)) return
    if (event.type === 'DELETED') this.#remove(key)
    else if (known === undefined || !sameVersion(known, event.object)) this.#set(event.object)
  }

  #ended (error: KubeError | undefined): void {
    const { clock, log } = this.#options
    this.#watchdog?.cancel()
    this.#stopWatch = undefined
    if (error === undefined) {
      if (clock.now() - this.#listedAt > listAgeMsMax) void this.#list()
      // A server that ends every watch at once is not asked in a tight loop.
      else if (this.#watchSilenceMs > 1000) this.#watch()
      else this.#retry(() => { this.#watch() }, undefined)
      return
    }
    const expired = error.status === 410 || ++this.#watchFailures >= watchFailuresMax
    log[expired ? 'info' : 'warn']({ kind: this.kind.kind, reason: error.reason, err: error.message }, 'watch ended')
    this.#retry(expired ? () => { void this.#list() } : () => { this.#watch() }, error)
  }

  #retry (again: () => void, error: KubeError | undefined): void {
    if (this.#stopped) return
    this.#restarts++
    const retryAfterMs = error?.retryAfterMs ?? 0
    this.#askedAgainAt = this.#options.clock.now() + retryAfterMs
    const pauseMs = Math.max(this.#backoffMs * (0.5 + this.#options.rng.fraction()), retryAfterMs)
    this.#backoffMs = Math.min(this.#backoffMs * 2, backoffMsMax)
    this.#pause(pauseMs, again)
  }

  #pause (ms: number, again: () => void): void {
    this.#timer?.cancel()
    this.#again = again
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#again = undefined
      again()
    })
  }

  #set (object: KubeObject): void {
    const bare = { ...object, metadata: bareMetadata(object.metadata) } as unknown as T
    const kept = this.#options.trim?.(bare) ?? bare
    const key = keyOf(kept)
    const previous = this.#objects.get(key)
    if (previous !== undefined && sameVersion(previous, kept)) return
    this.#objects.set(key, kept)
    for (const handler of this.#handlers) handler(key, kept, previous)
  }

  #remove (key: string): void {
    const previous = this.#objects.get(key)
    if (previous === undefined) return
    this.#objects.delete(key)
    for (const handler of this.#handlers) handler(key, undefined, previous)
  }
}

/** Without what is large and nobody here reads. */
function bareMetadata (given: ObjectMeta & { managedFields?: unknown }): ObjectMeta {
  const { managedFields: _fields, ...metadata } = given
  if (metadata.annotations?.[lastApplied] === undefined) return metadata
  const { [lastApplied]: _object, ...annotations } = metadata.annotations
  return { ...metadata, annotations }
}

function sameVersion (left: KubeObject, right: KubeObject): boolean {
  return left.metadata.resourceVersion === right.metadata.resourceVersion && left.metadata.uid === right.metadata.uid
}

/** resourceVersions of one kind are ordered decimal numbers (KEP-5504). */
function isNewer (left: KubeObject, right: KubeObject): boolean {
  const [a, b] = [left.metadata.resourceVersion ?? '', right.metadata.resourceVersion ?? '']
  return a.length === b.length ? a > b : a.length > b.length
}
