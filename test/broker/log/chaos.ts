// Random work on a volume with crashes at random moments, against a model that remembers the state after
// every call: what comes back must be the state after some call, none earlier than the last durable one.
import type { EpochEntry, ReplicaLog, Volume } from '../../../broker/log/contract.ts'
import type { VolumeSettings } from '../../../broker/log/settings.ts'
import type { PartitionRow } from '../../../wire/messages.ts'
import { SimRng } from '../../sim/rng.ts'
import { Bench, batch, readAll, recordsOf } from './support.ts'

interface ModelBatch {
  readonly base: number
  readonly end: number
  readonly records: readonly string[]
}

interface ModelLog {
  readonly replicaGen: number
  readonly logStart: number
  readonly logEnd: number
  readonly highWatermark: number
  readonly leaderEpochSeen: number
  readonly epochs: readonly EpochEntry[]
  readonly rowVersion: number
  readonly batches: readonly ModelBatch[]
}

/** By replica name; never changed in place. */
type Model = Readonly<Record<string, ModelLog>>

const topicIds = ['00000000000000aa', '00000000000000bb']
const partitions = 2
const settings: Partial<VolumeSettings> = {
  journalFileBytes: 192 * 1024,
  journalFirstFileBytes: 32 * 1024,
  frameBytesMax: 64 * 1024,
  checkpointBytes: 96 * 1024,
  checkpointMs: 200,
  writeBehindBytes: 12 * 1024,
  ringBytesMax: 24 * 1024,
  indexIntervalBytes: 1024,
  coldReadBytesMax: 8 * 1024,
  reserveBytes: 0
}

export class Chaos {
  readonly bench: Bench
  readonly #rng: SimRng
  #states: Model[] = [{}]
  #durable = 0
  #value = 0
  #gen = 1
  crashes = 0
  /** What happened, the last first to look at when a seed fails. */
  readonly trace: string[] = []

  constructor (seed: number) {
    this.bench = new Bench(seed, settings)
    this.#rng = new SimRng(seed, 'chaos')
  }

  get #model (): Model { return this.#states.at(-1)! }
  get #volume (): Volume { return this.bench.volume }

  async run (rounds: number): Promise<void> {
    await this.bench.open()
    for (let round = 0; round < rounds; round++) {
      const steps = this.#rng.integer(120)
      for (let i = 0; i < steps; i++) await this.#act()
      await this.#end()
    }
  }

  async #act (): Promise<void> {
    this.#mutate()
    this.#observe()
    const steps = this.#rng.integer(6)
    for (let i = 0; i < steps; i++) await this.#step()
    if (this.#rng.chance(0.1)) await this.#read()
    if (this.#rng.chance(0.05)) void this.#volume.maintain()
    if (this.#rng.chance(0.03)) this.bench.clock.wall += 20_000
  }

  async #step (): Promise<void> {
    await this.bench.clock.step()
    this.#observe()
    if (this.bench.failures.length > 0) throw this.bench.failures[0]!
  }

  /** A crash, or a clean end, and what it left. */
  async #end (): Promise<void> {
    const how = this.#rng.pick(['power', 'power', 'kill', 'close'])
    this.trace.push(`${how}: ${this.#states.length - 1} calls, ${this.#durable} durable`)
    if (how === 'close') {
      await this.bench.close()
      this.#observe()
      this.#durable = this.#states.length - 1
    } else if (how === 'kill') this.bench.kill()
    else this.bench.powerLoss()
    // And again while it recovers.
    while (this.#rng.chance(0.4)) {
      this.crashes++
      const opening = this.bench.opening()
      const steps = this.#rng.integer(60)
      for (let i = 0; i < steps; i++) await this.bench.clock.step()
      if (this.#rng.chance(0.5)) this.bench.kill()
      else this.bench.powerLoss()
      void opening.catch(() => {})
    }
    this.crashes++
    await this.bench.open()
    if (this.bench.notes.some(note => note.includes('damage'))) throw new Error(this.bench.notes.join('; '))
    await this.#compare()
  }

  async #compare (): Promise<void> {
    const found: Record<string, ModelLog & { records: string[] }> = {}
    for (const log of this.#volume.replicas()) {
      if (log.damaged !== '') throw new Error(`${nameOf(log)}: ${log.damaged}`)
      if (log.durableEnd !== log.logEnd) throw new Error(`${log.durableEnd} of ${log.logEnd} is durable`)
      found[nameOf(log)] = { ...shapeOf(log), batches: [], records: await readAll(this.bench, log) }
    }
    const wrong: string[] = []
    for (let i = this.#states.length - 1; i >= this.#durable; i--) {
      const difference = differenceOf(this.#states[i]!, found)
      if (difference === undefined) {
        this.trace.push(`state ${i} of ${this.#states.length - 1} came back`)
        this.#states = [restored(this.#states[i]!, found)]
        this.#durable = 0
        return
      }
      wrong.push(`${i}: ${difference}`)
    }
    throw new Error(`no state came back, durable was ${this.#durable}:\n${wrong.slice(0, 5).join('\n')}\n` +
      `...\n${wrong.at(-1)}\n${this.trace.slice(-30).join('\n')}`)
  }

  async #read (): Promise<void> {
    const log = this.#log()
    if (log === undefined) return
    const { logStart, logEnd } = log
    const model = this.#model[nameOf(log)]!
    const offset = logStart + this.#rng.integer(logEnd - logStart + 1)
    const end = offset + this.#rng.integer(logEnd - offset + 1)
    const bytes = await this.bench.wait(log.read(offset, end, 1 + this.#rng.integer(6000)).catch((error: unknown) => {
      if (log.logStart > offset) return undefined
      throw error
    }))
    this.#observe()
    if (bytes === undefined) return
    const got = recordsOf(bytes)
    const first = model.batches.findIndex(known => known.end > offset)
    const wanted: string[] = []
    for (let i = first; i >= 0 && i < model.batches.length && wanted.length < got.length; i++) {
      wanted.push(...model.batches[i]!.records)
    }
    const nothing = got.length === 0 && first >= 0 && model.batches[first]!.end <= end
    if (nothing || got.join() !== wanted.join()) {
      throw new Error(`read ${offset} to ${end}: ${got.join()} instead of ${wanted.join()}\n${this.trace.slice(-30).join('\n')}`)
    }
  }

  #log (): ReplicaLog | undefined {
    const logs = this.#volume.replicas()
    return logs.length === 0 ? undefined : this.#rng.pick(logs)
  }

  #mutate (): void {
    const log = this.#log()
    const dice = this.#rng.integer(100)
    if (log === undefined || dice < 2) this.#create()
    else if (dice < 80) this.#append(log)
    else if (dice < 84) log.beginEpoch(log.leaderEpochSeen + 1)
    else if (dice < 88) this.#truncate(log)
    else if (dice < 89) log.reset(log.logEnd + this.#rng.integer(20))
    else if (dice < 91) log.setRow(row(log, log.leaderEpochSeen + this.#rng.integer(2), this.#gen++))
    else if (dice < 96) log.setHighWatermark(log.logStart + this.#rng.integer(log.logEnd - log.logStart + 1))
    else if (dice < 98) log.advanceLogStart(this.#boundary(log))
    else if (dice < 99) this.#remove(log)
    else this.#volume.setControllerEpoch(this.#volume.controllerEpoch + 1)
  }

  #create (): void {
    const topicId = this.#rng.pick(topicIds)
    const partition = this.#rng.integer(partitions)
    if (this.#volume.get(topicId, partition) !== undefined) return
    const log = this.#volume.create({ topic: `t${topicId.slice(-1)}`, topicId, partition, replicaGen: this.#gen++ })
    this.trace.push(`create ${nameOf(log)}`)
  }

  #configure (log: ReplicaLog): void {
    log.configure({ retentionMs: 60_000, retentionBytes: 40_000, segmentBytes: 6000 })
    log.snapshotProducers = () => Buffer.from(`at ${log.logEnd}`)
  }

  #append (log: ReplicaLog): void {
    this.#configure(log)
    const parts: Uint8Array[] = []
    let base = log.logEnd
    let epoch = Math.max(0, log.epochs.at(-1)?.epoch ?? 0)
    for (let count = 1 + this.#rng.integer(3); count > 0; count--) {
      if (this.#rng.chance(0.05)) epoch = Math.max(epoch, log.leaderEpochSeen) + 1
      const records = 1 + this.#rng.integer(3)
      const values = Array.from({ length: records }, () =>
        `v${this.#value++}${'.'.repeat(this.#rng.chance(0.1) ? this.#rng.integer(5000) : this.#rng.integer(200))}`)
      parts.push(batch({ base, epoch, values, timestamp: this.bench.clock.wallTime() }))
      base += records
    }
    log.append(Buffer.concat(parts))
  }

  #truncate (log: ReplicaLog): void {
    const offset = this.#boundary(log)
    this.trace.push(`truncate ${nameOf(log)} ${log.logEnd} to ${offset}`)
    log.truncate(offset)
  }

  #remove (log: ReplicaLog): void {
    this.trace.push(`remove ${nameOf(log)}`)
    void (this.#rng.chance(0.5) ? this.#volume.remove(log) : this.#volume.moveToStray(log)).catch(() => {})
  }

  /** The begin of a batch, or the end of the log. */
  #boundary (log: ReplicaLog): number {
    const { batches } = this.#model[nameOf(log)]!
    if (batches.length === 0 || this.#rng.chance(0.1)) return log.logEnd
    const from = this.#rng.chance(0.7) ? Math.max(0, batches.length - 8) : 0
    return Math.max(log.logStart, batches[from + this.#rng.integer(batches.length - from)]!.base)
  }

  /** If the volume's state has changed, that is a new state of the model. */
  #observe (): void {
    const before = this.#model
    const now: Record<string, ModelLog> = {}
    let changed = false
    for (const log of this.#volume.replicas()) {
      const name = nameOf(log)
      const old = before[name]
      const shape = shapeOf(log)
      const same = old !== undefined && old.replicaGen === shape.replicaGen && sameShape(old, shape)
      now[name] = same ? old : { ...shape, batches: batchesOf(log, old?.replicaGen === shape.replicaGen ? old : undefined) }
      changed ||= !same
    }
    changed ||= Object.keys(before).some(name => now[name] === undefined)
    if (!changed) return
    this.#states.push(now)
    const index = this.#states.length - 1
    const states = this.#states
    this.#volume.whenDurable(() => { if (this.#states === states) this.#durable = Math.max(this.#durable, index) })
  }
}

function nameOf (log: { topicId: string, partition: number }): string { return `${log.topicId.slice(-2)}-${log.partition}` }

function shapeOf (log: ReplicaLog): Omit<ModelLog, 'batches'> {
  const { replicaGen, logStart, logEnd, highWatermark, leaderEpochSeen } = log
  return { replicaGen, logStart, logEnd, highWatermark, leaderEpochSeen, epochs: [...log.epochs], rowVersion: log.row?.version ?? -1 }
}

function sameShape (a: Omit<ModelLog, 'batches'>, b: Omit<ModelLog, 'batches'>): boolean {
  return a.logStart === b.logStart && a.logEnd === b.logEnd && a.leaderEpochSeen === b.leaderEpochSeen &&
    a.rowVersion === b.rowVersion && a.highWatermark === b.highWatermark && JSON.stringify(a.epochs) === JSON.stringify(b.epochs)
}

/** What the log holds by the model: its old batches as far as they go, new ones from memory. */
function batchesOf (log: ReplicaLog, old: ModelLog | undefined): ModelBatch[] {
  let batches = (old?.batches ?? []).filter(known => known.end > log.logStart && known.end <= log.logEnd)
  if (batches.length > 0 && batches.at(-1)!.end > log.logEnd) batches = []
  let offset = batches.at(-1)?.end ?? Math.max(log.logStart, (old?.batches ?? []).length > 0 ? log.logStart : log.logStart)
  while (offset < log.logEnd) {
    const bytes = log.readTail(offset, log.logEnd, 1)
    if (bytes === undefined || bytes.length === 0) throw new Error(`${nameOf(log)}: nothing in memory at ${offset}`)
    const records = recordsOf(bytes)
    const base = Number(records[0]!.split(':')[0])
    batches.push({ base, end: base + records.length, records })
    offset = base + records.length
  }
  return batches
}

function differenceOf (model: Model, found: Record<string, ModelLog & { records: string[] }>): string | undefined {
  const names = Object.keys(model).sort().join()
  if (names !== Object.keys(found).sort().join()) return `replicas ${names} and ${Object.keys(found).sort().join()}`
  for (const [name, log] of Object.entries(model)) {
    const other = found[name]!
    for (const field of ['replicaGen', 'logStart', 'logEnd', 'leaderEpochSeen', 'rowVersion'] as const) {
      if (log[field] !== other[field]) return `${name} ${field} ${log[field]} and ${other[field]}`
    }
    if (JSON.stringify(log.epochs) !== JSON.stringify(other.epochs)) {
      return `${name} epochs ${JSON.stringify(log.epochs)} and ${JSON.stringify(other.epochs)}`
    }
    if (other.highWatermark > log.highWatermark) return `${name} high watermark ${log.highWatermark} and ${other.highWatermark}`
    const records = log.batches.flatMap(known => known.records)
    if (records.join() !== other.records.join()) {
      const at = records.findIndex((record, i) => record !== other.records[i])
      return `${name} records at ${at}: ${records[at]?.slice(0, 30)} and ${other.records[at]?.slice(0, 30)}`
    }
  }
  return undefined
}

/** The state that came back, with the marks as they were found. */
function restored (model: Model, found: Record<string, ModelLog>): Model {
  return Object.fromEntries(Object.entries(model).map(([name, log]) =>
    [name, { ...log, highWatermark: found[name]!.highWatermark }]))
}

function row (log: ReplicaLog, leaderEpoch: number, version: number): PartitionRow {
  const { topicId, partition } = log
  return {
    topicId, partition, replicas: [0], leader: 0, leaderEpoch, inSync: [], version, minInSync: 1, adding: [], removing: []
  }
}
