// Events for people (`kubectl describe`), events.k8s.io/v1: one object per happening, a series when it
// goes on. Best effort: an Event that cannot be written is logged and forgotten.
import type { Clock, Rng } from '../../wire/ports.ts'
import { isKubeError, type KubeApi } from './api.ts'
import type { Log } from './log.ts'
import { microTime } from './micro-time.ts'
import { kinds, type KubeObject } from './types.ts'

/** A repeat within this time is counted, not written anew. */
const seriesMs = 10 * 60_000
/** A series is written again at most so often. */
const seriesWriteMsMin = 60_000
const happeningsMax = 1_000
const noteLengthMax = 1_024
/** Object names have at most 253 characters. */
const subjectLengthMax = 230

export interface Happening {
  readonly type: 'Normal' | 'Warning'
  /** CamelCase, for programs: `ScaleDownBlocked`. */
  readonly reason: string
  /** CamelCase, what was being done: `Scale`. */
  readonly action: string
  /** For people. */
  readonly note: string
}

interface Series {
  readonly name: string
  count: number
  readonly firstAt: number
  writtenAt: number
}

export interface EventRecorder {
  record (regarding: KubeObject, happening: Happening): void
}

export class KubeEvents implements EventRecorder {
  readonly #options: { api: KubeApi, clock: Clock, rng: Rng, log: Log, instance: string }
  readonly #series = new Map<string, Series>()
  readonly #writing = new Set<Promise<void>>()

  /** @param options.instance names this process, at most 128 characters. */
  constructor (options: { api: KubeApi, clock: Clock, rng: Rng, log: Log, instance: string }) {
    this.#options = options
  }

  record (regarding: KubeObject, happening: Happening): void {
    const { clock, rng } = this.#options
    const key = [regarding.metadata.uid, happening.reason, happening.note].join('/')
    const now = clock.now()
    const series = this.#series.get(key)
    if (series !== undefined && now - series.firstAt < seriesMs) {
      series.count++
      if (now - series.writtenAt < seriesWriteMsMin) return
      series.writtenAt = now
      this.#write(async () => await this.#continue(regarding, series))
      return
    }
    const name = `${regarding.metadata.name.slice(0, subjectLengthMax)}.${rng.hex(16)}`
    this.#series.delete(key)
    this.#series.set(key, { name, count: 1, firstAt: now, writtenAt: now })
    // The oldest is the first: a Map keeps the order of insertion.
    if (this.#series.size > happeningsMax) this.#series.delete(this.#series.keys().next().value!)
    this.#write(async () => await this.#begin(regarding, happening, name))
  }

  /** Resolves when what was recorded is written or given up. */
  async settled (): Promise<void> {
    await Promise.all(this.#writing)
  }

  async #begin (regarding: KubeObject, happening: Happening, name: string): Promise<void> {
    const { api, clock, instance } = this.#options
    await api.create(kinds.event, {
      apiVersion: kinds.event.apiVersion,
      kind: kinds.event.kind,
      metadata: { name, namespace: regarding.metadata.namespace ?? 'default' },
      eventTime: microTime(clock.wallTime()),
      reportingController: 'millrace.dev/operator',
      reportingInstance: instance,
      type: happening.type,
      reason: happening.reason,
      action: happening.action,
      note: happening.note.slice(0, noteLengthMax),
      regarding: {
        apiVersion: regarding.apiVersion,
        kind: regarding.kind,
        name: regarding.metadata.name,
        namespace: regarding.metadata.namespace,
        uid: regarding.metadata.uid
      }
    })
  }

  async #continue (regarding: KubeObject, series: Series): Promise<void> {
    const { api, clock } = this.#options
    await api.patch(kinds.event, regarding.metadata.namespace ?? 'default', series.name, {
      series: { count: series.count, lastObservedTime: microTime(clock.wallTime()) }
    })
  }

  #write (write: () => Promise<void>): void {
    const written = write().catch((error: unknown) => {
      if (!isKubeError(error)) throw error
      this.#options.log.info({ reason: error.reason, err: error.message }, 'Event not written')
    }).finally(() => this.#writing.delete(written))
    this.#writing.add(written)
  }
}
