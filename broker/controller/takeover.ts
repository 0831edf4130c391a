// Taking the office: the Lease first, then the stamp in the root table, then in every table that it
// names. Only then may anything be decided: the stamps make every late write of the last controller fail.
import { OfficeLost } from './api.ts'
import type { Api } from './api.ts'
import { claimLease, readLease } from './lease.ts'
import type { Lease } from './lease.ts'
import type { TableStore } from './store.ts'
import { nobody } from '../row.ts'
import { annotation, rootName, withAnnotation } from './table.ts'
import type { Table } from './table.ts'

/** On the root while tables are being restored from what brokers report: the reason, for people too. */
export const restoringAnnotation = 'millrace.dev/restoring'

export interface TakeoverOptions {
  readonly api: Api
  readonly store: TableStore
  readonly brokerId: number
  readonly peerAddress: string
  /** The highest controller epoch that this broker or any that it asked has seen. */
  readonly epochSeen: number
  /** Epoch of the Lease that was found to lead nowhere: a newer one must be tried first. 0 for none. */
  readonly leaseEpoch: number
  /** Why this broker, as the last controller, doubts the tables; empty when it does not. */
  readonly doubt: string
  wallTimeMs (): number
  /** Something has landed: the API answers, and it goes on. */
  progress (): void
  wanted (): boolean
}

export interface Takeover {
  readonly controllerEpoch: number
  readonly root: Table
  /** Named tables, the root not among them, by name. */
  readonly tables: ReadonlyMap<string, Table>
  /** Why the tables may be older than what brokers know; empty when nothing speaks for that. */
  readonly suspicion: string
}

/** Throws OfficeLost when somebody else was first, TableFormatError for a table that does not read. */
export async function takeOver (options: TakeoverOptions): Promise<Takeover> {
  const { api, store, wanted } = options
  const [lease, found] = await Promise.all([
    api.answered(wanted, () => readLease(api, store.cluster)),
    store.list()
  ])
  const leadsElsewhere = lease.holder !== nobody && lease.holder !== options.brokerId
  if (leadsElsewhere && lease.epoch > options.leaseEpoch) {
    throw new OfficeLost(`broker ${lease.holder} has taken the Lease`)
  }
  const stamps = [...found.values()].map(table => table.controllerEpoch)
  const controllerEpoch = Math.max(lease.epoch, options.epochSeen, ...stamps) + 1
  await claim(options, lease, controllerEpoch)
  options.progress()
  const name = rootName(store.cluster)
  const before = found.get(name) ?? await store.read(name)
  const suspicion = options.doubt !== '' ? options.doubt : suspect(options, lease, before, found.size)
  const root = await stamp(store, controllerEpoch, before ?? store.newTable(name), suspicion)
  options.progress()
  const named = await Promise.all(root.tables.map(async table => {
    const stored = found.get(table) ?? await store.read(table)
    return stored === undefined ? undefined : await stamp(store, controllerEpoch, stored, '')
  }))
  const tables = new Map<string, Table>()
  for (const table of named) if (table !== undefined) tables.set(table.name, table)
  const missing = root.tables.filter(table => !tables.has(table))
  const marked = missing.length === 0 ? root : await mark(store, root, `tables are missing: ${missing.join(', ')}`)
  // Made again, empty: what they held comes back with what brokers report.
  for (const table of missing) tables.set(table, await stamp(store, controllerEpoch, store.newTable(table), ''))
  return { controllerEpoch, root: marked, tables, suspicion: annotation(marked, restoringAnnotation) ?? '' }
}

/** The root says that its tables are doubted, before anything hides why. */
async function mark (store: TableStore, root: Table, suspicion: string): Promise<Table> {
  for (;;) {
    const outcome = await store.put({
      ...withAnnotation(root, restoringAnnotation, suspicion), writeId: store.newWriteId()
    })
    if (outcome.kind === 'landed') return outcome.table
    if (outcome.kind === 'changed') throw new OfficeLost(`${root.name} was changed while it was taken over`)
  }
}

async function claim (options: TakeoverOptions, lease: Lease, epoch: number): Promise<void> {
  const { api, store, brokerId, peerAddress, wallTimeMs, wanted } = options
  const wish = { holder: brokerId, epoch, address: peerAddress, wallTimeMs: wallTimeMs() }
  if (!await claimLease(api, store.cluster, lease, wish, wanted)) throw new OfficeLost('another broker took the Lease')
}

/** Writes the epoch into a table, whatever late writes of older controllers come between. */
async function stamp (store: TableStore, controllerEpoch: number, table: Table, suspicion: string): Promise<Table> {
  let current = table
  for (;;) {
    if (current.controllerEpoch >= controllerEpoch) {
      throw new OfficeLost(`${current.name} bears the stamp ${current.controllerEpoch}, mine is ${controllerEpoch}`)
    }
    const marked = suspicion === '' ? current : withAnnotation(current, restoringAnnotation, suspicion)
    const outcome = await store.put({ ...marked, controllerEpoch, writeId: store.newWriteId() })
    if (outcome.kind === 'landed') return outcome.table
    if (outcome.kind === 'changed') {
      if (outcome.found === undefined) throw new OfficeLost(`${current.name} was deleted while it was stamped`)
      current = outcome.found
    }
  }
}

/** The stamps hide afterwards what this saw, so it is written into the root with them. */
function suspect (options: TakeoverOptions, lease: Lease, root: Table | undefined, tables: number): string {
  if (root === undefined) {
    if (tables > 0) return 'the root table is missing, others are there'
    if (lease.epoch > 0 || options.epochSeen > 0) return 'there are no tables, but there was a controller'
    return ''
  }
  if (options.epochSeen > root.controllerEpoch) {
    return `the tables bear controller epoch ${root.controllerEpoch}, brokers have seen ${options.epochSeen}`
  }
  return ''
}
