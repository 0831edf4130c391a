// One table and its writes, one at a time: decide on a draft, write it, learn the outcome, decide again.
// Everything that came up meanwhile goes into the next write, so a broker's death costs one per table.
import type { Clock } from '../../wire/ports.ts'
import { WireError } from '../../wire/errors.ts'
import { assert } from '../assert.ts'
import * as limits from '../limits.ts'
import { OfficeLost } from './api.ts'
import { TableFormatError } from './row-text.ts'
import type { PutOutcome, TableStore } from './store.ts'
import { tableBytes } from './table-codec.ts'
import { TableDraft } from './table.ts'
import type { Table } from './table.ts'

/** What a decision wants to know of its write. Exactly one of the two is called. */
export interface Decision {
  /** `table` is what is stored, the decision included. */
  landed (table: Table): void
  /** Nothing of it was or will be stored: it will be decided again. */
  dropped (): void
  /** It would make the table too large. Set when something was decided that may be left out. */
  refused?: ((error: WireError) => void) | undefined
}

export interface WriterOptions {
  readonly clock: Clock
  readonly store: TableStore
  readonly controllerEpoch: number
  /** Changes the draft. Called again after each write, until it changes nothing. */
  decide (draft: TableDraft): Decision
  /** After each write, before its Decision hears of it. */
  written (before: Table, after: Table): void
  /** The table is no longer this controller's to write. */
  lost (reason: string, doubt: boolean): void
}

export class TableWriter {
  readonly #options: WriterOptions
  #table: Table
  #running = false
  #wanted = false
  #unresolved = false
  #stopped = false

  /** @param table as stamped with the controller's epoch */
  constructor (table: Table, options: WriterOptions) {
    assert(table.controllerEpoch === options.controllerEpoch, 'only a stamped table is written')
    this.#table = table
    this.#options = options
  }

  /** As stored by the last write whose outcome is known. */
  get table (): Table { return this.#table }

  /** True while a write is under way: nothing may be said about the table. */
  get unresolved (): boolean { return this.#unresolved }

  /** Decide soon. */
  kick (): void {
    this.#wanted = true
    if (this.#running || this.#stopped) return
    this.#running = true
    this.#options.clock.defer(() => { void this.#run() })
  }

  /**
   * What a quorum read has found. A table that is gone or was written by another is lost also to a controller
   * that has nothing to write.
   *
   * @param before the table when the read began: it says nothing once that has been written
   */
  found (before: Table, stored: Table | undefined): void {
    if (this.#running || this.#stopped || this.#table !== before) return
    if (stored?.uid === before.uid && stored.resourceVersion === before.resourceVersion) return
    try {
      this.#table = this.#adopted(stored)
    } catch (error) {
      this.#fail(error)
    }
  }

  stop (): void {
    this.#stopped = true
  }

  async #run (): Promise<void> {
    try {
      while (this.#wanted && !this.#stopped) {
        this.#wanted = false
        await this.#round()
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#running = false
    }
  }

  /** A table that is too large all the same may still become smaller. */
  #isTooLarge (next: Table): boolean {
    const bytes = tableBytes(next)
    return bytes > limits.tableBytesMax && bytes > tableBytes(this.#table)
  }

  #fail (error: unknown): void {
    if (!(error instanceof OfficeLost) && !(error instanceof TableFormatError)) throw error
    this.#stopped = true
    this.#options.lost(`${this.#table.name}: ${error.message}`, error instanceof OfficeLost && error.doubt)
  }

  async #round (): Promise<void> {
    const { store, controllerEpoch, decide, written } = this.#options
    const draft = new TableDraft(this.#table)
    const decision = decide.call(this.#options, draft)
    if (!draft.changed) {
      decision.landed(this.#table)
      return
    }
    const next = draft.finish(controllerEpoch, store.newWriteId())
    if (decision.refused !== undefined && this.#isTooLarge(next)) {
      decision.refused(new WireError('TABLE_FULL', `${next.name} would have more than ${limits.tableBytesMax} bytes`))
      this.#wanted = true
      return
    }
    this.#unresolved = true
    let outcome: PutOutcome
    try {
      outcome = await store.put(next)
    } catch (error) {
      decision.dropped()
      throw error
    }
    this.#unresolved = false
    if (this.#stopped) {
      decision.dropped()
      return
    }
    this.#wanted = true
    switch (outcome.kind) {
      case 'landed': {
        const before = this.#table
        this.#table = outcome.table
        written.call(this.#options, before, outcome.table)
        decision.landed(outcome.table)
        return
      }
      case 'not-written':
        decision.dropped()
        return
      case 'changed':
        decision.dropped()
        this.#table = this.#adopted(outcome.found)
    }
  }

  /** The object was touched: fine when only its metadata was, as a label set by a person. */
  #adopted (found: Table | undefined): Table {
    if (found === undefined) throw new OfficeLost('the object was deleted', true)
    if (found.controllerEpoch > this.#options.controllerEpoch) throw new OfficeLost('a newer controller has stamped it')
    if (found.uid !== this.#table.uid || found.writeId !== this.#table.writeId) {
      throw new OfficeLost('it was changed by something else than a controller', true)
    }
    return { ...this.#table, resourceVersion: found.resourceVersion, metadata: found.metadata }
  }
}
