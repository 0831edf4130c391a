// Reads and compare-and-swap writes of PartitionTables, each tried until its outcome is known.
import type { Rng } from '../../wire/ports.ts'
import { KubeError } from '../io/ports.ts'
import type { KubeVersion, Log } from '../io/ports.ts'
import type { Api, ApiBackoff } from './api.ts'
import { OfficeLost } from './api.ts'
import { clusterLabel, decodeTable, encodeTable, tableKind } from './table-codec.ts'
import { emptyTable } from './table.ts'
import type { Table } from './table.ts'

export interface StoreCounters {
  tableWrites: number
  tableConflicts: number
}

export type PutOutcome =
  /** Stored, under the resourceVersion that `table` carries now. */
  | { readonly kind: 'landed', readonly table: Table }
  /** Certainly not carried out: decide again, from the same table. */
  | { readonly kind: 'not-written' }
  /** Something else is stored (undefined: the object is gone). The write can never land any more. */
  | { readonly kind: 'changed', readonly found: Table | undefined }

export class TableStore {
  readonly cluster: string
  readonly #api: Api
  readonly #rng: Rng
  readonly #log: Log
  readonly #counters: StoreCounters
  readonly #wanted: () => boolean
  /**
   * By table. A write that was refused is decided again and tried again, as another put: pauses that began anew with
   * each would stay at the shortest for as long as the API refuses.
   */
  readonly #backoffs = new Map<string, ApiBackoff>()

  /** @param options.wanted false ends every try with OfficeLost. */
  constructor (options: {
    cluster: string, api: Api, rng: Rng, log: Log, counters: StoreCounters, wanted: () => boolean
  }) {
    this.cluster = options.cluster
    this.#api = options.api
    this.#rng = options.rng
    this.#log = options.log
    this.#counters = options.counters
    this.#wanted = options.wanted
  }

  newWriteId (): string {
    return this.#rng.hex(8)
  }

  newTable (name: string): Table {
    return emptyTable({ name, labels: { [clusterLabel]: this.cluster } })
  }

  /** Every table of the cluster, named in the root or not. Throws TableFormatError. */
  async list (): Promise<Map<string, Table>> {
    const objects =
      await this.#api.answered(this.#wanted, () => this.#api.list(tableKind, { [clusterLabel]: this.cluster }))
    return new Map(objects.map(object => [object.metadata.name, decodeTable(object)]))
  }

  /** Which version of each table is stored. */
  versions (): Promise<Map<string, KubeVersion>> {
    return this.#api.answered(this.#wanted, () => this.#api.versions(tableKind, { [clusterLabel]: this.cluster }))
  }

  /** Throws TableFormatError. */
  async read (name: string): Promise<Table | undefined> {
    const object = await this.#api.answered(this.#wanted, () => this.#api.get(tableKind, name))
    return object === undefined ? undefined : decodeTable(object)
  }

  /**
   * Writes `table` where the resourceVersion and uid that it carries are stored now, or creates it where
   * it carries none. Its writeId must be new. Throws OfficeLost when no longer wanted.
   */
  async put (table: Table): Promise<PutOutcome> {
    const backoff = this.#backoffOf(table.name)
    const object = encodeTable(table)
    let uncertain = false
    for (;;) {
      if (!this.#wanted()) throw new OfficeLost('stopped')
      try {
        const stored = await (table.uid === ''
          ? this.#api.create(tableKind, object)
          : this.#api.replace(tableKind, object))
        return this.#landed(table, stored.metadata.uid, stored.metadata.resourceVersion)
      } catch (error) {
        if (!(error instanceof KubeError)) throw error
        if (error.kind === 'conflict' || error.kind === 'exists' || error.kind === 'not-found') {
          this.#counters.tableConflicts += 1
          const outcome = await this.#compare(table)
          if (outcome !== undefined) return outcome
        } else if (error.kind === 'unknown') {
          // It may land at any time: only another outcome from the same resourceVersion rules that out.
          uncertain = true
        } else if (!uncertain) {
          if (error.kind === 'invalid') this.#log.error({ table: table.name }, `table refused: ${error.message}`)
          await backoff.after(error)
          return { kind: 'not-written' }
        }
        await backoff.after(error)
      }
    }
  }

  /** After a conflict: undefined when what is stored is what the write was decided from. */
  async #compare (table: Table): Promise<PutOutcome | undefined> {
    const found = await this.read(table.name)
    if (found?.writeId === table.writeId) return this.#landed(table, found.uid, found.resourceVersion)
    if (found === undefined) return table.uid === '' ? undefined : { kind: 'changed', found }
    if (found.uid === table.uid && found.resourceVersion === table.resourceVersion) return undefined
    return { kind: 'changed', found }
  }

  #backoffOf (name: string): ApiBackoff {
    const known = this.#backoffs.get(name) ?? this.#api.backoff()
    this.#backoffs.set(name, known)
    return known
  }

  #landed (table: Table, uid: string | undefined, resourceVersion: string | undefined): PutOutcome {
    if (uid === undefined || resourceVersion === undefined) {
      throw new OfficeLost('the API stored an object without a version')
    }
    this.#counters.tableWrites += 1
    this.#backoffOf(table.name).reset()
    return { kind: 'landed', table: { ...table, uid, resourceVersion } }
  }
}
