// Looks now and then whether the Lease still names this controller and the tables are still as it wrote them,
// also when it has nothing to write; and lets the Lease go when the broker stops.
import type { Clock } from '../../wire/ports.ts'
import { KubeError } from '../io/ports.ts'
import type { Log } from '../io/ports.ts'
import { nobody } from '../row.ts'
import type { Self } from '../session/contract.ts'
import { OfficeLost } from './api.ts'
import type { Api } from './api.ts'
import { claimLease, readLease } from './lease.ts'
import type { TableStore } from './store.ts'
import type { Tables } from './tables.ts'

export interface LeaseKeeperOptions {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  readonly self: Self
  readonly store: TableStore
  readonly tables: Tables
  readonly controllerEpoch: number
  isOpen (): boolean
  /** Somebody else has the Lease. */
  lost (reason: string): void
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  #looking = false

  constructor (options: LeaseKeeperOptions) {
    this.#options = options
  }

  /** Another holder or a higher epoch ends the office, and so does another's table; silence of the API does not. */
  async look (): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const { isOpen, log } = this.#options
    try {
      await this.#lookAtLease()
      await this.#lookAtTables()
    } catch (error) {
      const passes = error instanceof KubeError || error instanceof OfficeLost
      if (isOpen() && !passes) log.warn({ error: String(error) }, 'Lease and tables could not be read')
    } finally {
      this.#looking = false
    }
  }

  async #lookAtLease (): Promise<void> {
    const { api, clock, controllerEpoch, isOpen, lost, self, store } = this.#options
    const lease = await readLease(api, store.cluster)
    if (!isOpen()) return
    if (lease.holder === self.brokerId && lease.epoch === controllerEpoch) return
    if (lease.object === undefined || (lease.epoch < controllerEpoch && lease.holder === nobody)) {
      // Deleted: the signpost is put up again; the stamps decide, not it.
      const { brokerId, peerAddress } = self
      const claim = {
        holder: brokerId, epoch: controllerEpoch, address: peerAddress, wallTimeMs: clock.wallTime()
      }
      if (await claimLease(api, store.cluster, lease, claim, isOpen)) return
    }
    lost(`the Lease names broker ${lease.holder}, controller epoch ${lease.epoch}`)
  }

  async #lookAtTables (): Promise<void> {
    const { isOpen, store, tables } = this.#options
    const looked = [...tables.shelves()].map(({ writer }) => ({ writer, before: writer.table }))
    // Tables may have hundreds of KiB, and mostly nothing has happened to them.
    const stored = await store.versions()
    for (const { writer, before } of looked) {
      if (!isOpen()) return
      const { uid, resourceVersion } = stored.get(before.name) ?? {}
      if (writer.table !== before || (uid === before.uid && resourceVersion === before.resourceVersion)) continue
      // Changed, deleted, or without the label that the list goes by: what it holds decides.
      const found = await store.read(before.name)
      if (!isOpen()) return
      writer.found(before, found)
    }
  }

  /** Never fails. */
  async release (): Promise<void> {
    const { api, clock, controllerEpoch, isOpen, log, self, store } = this.#options
    try {
      const lease = await readLease(api, store.cluster)
      if (lease.holder !== self.brokerId || lease.epoch !== controllerEpoch) return
      const claim = { holder: nobody, epoch: lease.epoch, address: '', wallTimeMs: clock.wallTime() }
      await claimLease(api, store.cluster, lease, claim, isOpen)
    } catch (error) {
      // The others find out by asking.
      log.debug({ error: String(error) }, 'the Lease still names this broker')
    }
  }
}
