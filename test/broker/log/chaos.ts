// Random work on a volume with crashes at random moments, against a model that remembers the state after
// every call: what comes back must be the state after some call, none earlier than the last durable one.
import type { ReplicaLog, Volume } from '../../../broker/log/contract.ts'
import type { VolumeSettings } from '../../../broker/log/settings.ts'
import type { PartitionRow } from '../../../wire/messages.ts'
import { WireError } from '../../../wire/errors.ts'
import { SimRng } from '../../sim/rng.ts'
import { between, differenceOf, isOldPrefix, nameOf, observe, shapeOf } from './chaos-model.ts'
import type { FoundLog, Model, ModelLog } from './chaos-model.ts'
import { Bench, batch, readAll, recordsOf } from './support.ts'

/** crash: power, processes. flip: a bit of a file at rest, too. fail: a write or fsync fails. */
export type ChaosKind = 'crash' | 'flip' | 'fail'

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
  readonly #kind: ChaosKind
  readonly #rng: SimRng
  #states: Model[] = [{}]
  /** States of before the last opening: the tail of the journal may reach that far back. */
  #history: Model[] = []
  #durable = 0
  #value = 0
  #gen = 1
  /** What happened, for a seed that fails, and what must happen for some. */
  readonly trace: string[] = []
  readonly counts = { crashes: 0, segments: 0, damaged: 0, renewed: 0, failures: 0, coldReads: 0 }

  constructor (seed: number, kind: ChaosKind = 'crash') {
    this.bench = new Bench(seed, settings)
    this.#kind = kind
    this.#rng = new SimRng(seed, 'chaos')
  }

  get #model (): Model { return this.#states.at(-1)! }
  get #volume (): Volume { return this.bench.volume }

  async run (rounds: number): Promise<void> {
    try {
      await this.bench.open()
      for (let round = 0; round < rounds; round++) {
        const steps = this.#rng.integer(120)
        if (this.#kind === 'fail') this.#breakDisk()
        for (let i = 0; i < steps && this.bench.failures.length === 0; i++) await this.#act()
        await this.#end()
      }
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.trace.slice(-30).join('\n')}`, { cause: error })
    }
  }

  async #act (): Promise<void> {
    // Now and then so much at once that a frame outgrows its buffers, or its limit.
    for (let calls = this.#rng.chance(0.02) ? 150 : 1; calls > 0; calls--) {
      this.#mutate()
      this.#observe()
    }
    const steps = this.#rng.integer(6)
    for (let i = 0; i < steps; i++) await this.#step()
    if (this.#rng.chance(0.1)) await this.#read()
    if (this.#rng.chance(0.05)) void this.#volume.maintain()
    if (this.#rng.chance(0.03)) this.bench.clock.wall += 20_000
    if (this.#rng.chance(0.02)) {
      // Quiet for a while: checkpoints that nothing is written during.
      void this.#volume.maintain()
      const until = this.bench.clock.now() + 300
      while (await this.bench.clock.step(until)) this.#observe()
    }
  }

  async #step (): Promise<void> {
    await this.bench.clock.step()
    this.#observe()
    if (this.bench.failures.length > 0 && this.#kind !== 'fail') throw this.bench.failures[0]!
  }

  #breakDisk (): void {
    const operation = this.#rng.pick(['write', 'sync'] as const)
    const path = this.#rng.pick(['journal', 'topics', 'checkpoint', ''])
    this.bench.disk.fail(operation, 'io', { path, after: this.#rng.integer(120) })
    this.trace.push(`a ${operation} of ${path} will fail`)
  }

  /** A crash, or a clean end, and what it left. */
  async #end (): Promise<void> {
    const how = this.bench.failures.length > 0 ? 'failure'
      : this.#kind === 'flip' ? 'quiet' : this.#rng.pick(['power', 'power', 'kill', 'close'])
    // A mark follows the last frame, then a flipped bit is told from a torn tail.
    if (how === 'quiet') await this.bench.clock.advance(200)
    this.#observe()
    this.trace.push(`${how}: ${this.#states.length - 1} calls, ${this.#durable} durable`)
    this.counts.coldReads += this.#volume.counters.coldReads
    this.counts.segments += this.#volume.counters.segments
    if (how === 'failure') await this.#afterFailure()
    else if (how === 'close') {
      await this.bench.close()
      this.#observe()
      if (this.bench.failures.length > 0) await this.#afterFailure()
      else this.#durable = this.#states.length - 1
    } else if (how === 'kill') this.bench.kill()
    else this.bench.powerLoss()
    this.bench.disk.heal()
    const volumeId = this.#volume.meta.volumeId
    if (how === 'quiet') this.#flip()
    await this.#reopen()
    await this.#compare(volumeId)
  }

  /** Nothing counts after a failure; the marker keeps the volume closed until a person takes it away. */
  async #afterFailure (): Promise<void> {
    this.counts.failures++
    await this.bench.close()
    if (this.bench.failures.length !== 1) throw new Error(`${this.bench.failures.length} failures reported`)
    this.bench.failures = []
    this.bench.powerLoss()
    this.bench.disk.heal()
    const error = await this.bench.clock.until(this.bench.opening().then(() => undefined, (e: unknown) => e))
    if (!(error instanceof WireError && error.code === 'VOLUME_FAILED')) {
      throw new Error('a failed volume was opened again', { cause: error })
    }
    await this.bench.clock.until(this.bench.disk.remove('failed.json'))
    await this.bench.clock.until(this.bench.disk.syncFolder(''))
  }

  #flip (): void {
    const files = this.bench.disk.files()
    const path = this.#rng.pick(files)
    const size = this.bench.disk.contents(path).length
    if (size === 0) return
    // Headers and recent bytes more often than zeros that nobody reads.
    const at = this.#rng.chance(0.5) ? this.#rng.integer(Math.min(size, 16_384)) : this.#rng.integer(size)
    this.bench.disk.flipBit(path, at)
    this.trace.push(`a bit of ${path} at ${at} flipped`)
  }

  async #reopen (): Promise<void> {
    // It may crash again while it recovers.
    while (this.#rng.chance(0.4)) {
      this.counts.crashes++
      const opening = this.bench.opening()
      const steps = this.#rng.integer(60)
      for (let i = 0; i < steps; i++) await this.bench.clock.step()
      if (this.#rng.chance(0.5)) this.bench.kill()
      else this.bench.powerLoss()
      void opening.catch(() => {})
    }
    this.counts.crashes++
    await this.bench.open()
    if (this.#kind !== 'flip' && this.bench.notes.some(note => /damage|new id/.test(note))) {
      throw new Error(this.bench.notes.join('; '))
    }
  }

  async #compare (volumeId: string): Promise<void> {
    const found: Record<string, FoundLog> = {}
    const sound: Record<string, FoundLog> = {}
    const renewed = this.#volume.meta.volumeId !== volumeId
    if (renewed) this.counts.renewed++
    for (const log of this.#volume.replicas()) {
      if (log.durableEnd !== log.logEnd) throw new Error(`${log.durableEnd} of ${log.logEnd} is durable`)
      const records = await this.#readAll(log)
      const name = nameOf(log)
      found[name] = { ...shapeOf(log), records }
      if (!this.#isDamaged(log) && !renewed) sound[name] = found[name]
      else if (this.#kind !== 'flip') throw new Error(`${name}: ${log.damaged} ${log.renewed}`)
      else if (!isOldPrefix([...this.#history, ...this.#states], name, found[name])) {
        throw new Error(`${name} has what it never held`)
      }
      if (this.#isDamaged(log)) this.counts.damaged++
    }
    this.#adopt(renewed ? undefined : this.#match(found, sound), found)
  }

  /** A read found it damaged, or it has a new generation (made by an opening that crashed, perhaps). */
  #isDamaged (log: ReplicaLog): boolean {
    const known = this.#states.some(state => state[nameOf(log)]?.replicaGen === log.replicaGen)
    return log.damaged !== '' || log.renewed !== '' || !known
  }

  /** A damaged segment shows when it is read: what comes before is compared, the replica is damaged. */
  async #readAll (log: ReplicaLog): Promise<string[]> {
    try {
      return await readAll(this.bench, log)
    } catch (error) {
      if (this.#kind !== 'flip' || !(error instanceof WireError) || log.damaged === '') throw error
      return []
    }
  }

  /** The latest state whose sound replicas came back as they were. */
  #match (found: Readonly<Record<string, FoundLog>>, sound: Readonly<Record<string, FoundLog>>): Model {
    const wrong: string[] = []
    const damaged = Object.keys(found).filter(name => sound[name] === undefined)
    for (let i = this.#states.length - 1; i >= this.#durable; i--) {
      const state = Object.fromEntries(Object.entries(this.#states[i]!).filter(([name]) => !damaged.includes(name)))
      const difference = differenceOf(state, sound)
      if (difference === undefined) {
        this.trace.push(`state ${i} of ${this.#states.length - 1} came back`)
        return this.#states[i]!
      }
      wrong.push(`${i}: ${difference}`)
    }
    throw new Error(`no state came back, durable was ${this.#durable}:\n${wrong.slice(0, 5).join('\n')}\n` +
      `...\n${wrong.at(-1)}`)
  }

  /** Goes on from what came back: damaged replicas begin anew. */
  #adopt (state: Model | undefined, found: Readonly<Record<string, FoundLog>>): void {
    const model: Record<string, ModelLog> = {}
    for (const log of this.#volume.replicas()) {
      const name = nameOf(log)
      const known = state?.[name]
      if (known !== undefined && !this.#isDamaged(log)) {
        model[name] = { ...known, highWatermark: found[name]!.highWatermark }
        continue
      }
      log.reset(log.logEnd + 1)
      model[name] = { ...shapeOf(log), batches: [] }
    }
    this.#history.push(...this.#states)
    this.#states = [model]
    this.#durable = 0
  }

  async #read (): Promise<void> {
    const log = this.#log()
    if (log === undefined) return
    const { logStart, logEnd } = log
    const model = this.#model[nameOf(log)]!
    const offset = logStart + this.#rng.integer(logEnd - logStart + 1)
    const end = offset + this.#rng.integer(logEnd - offset + 1)
    const reading = log.read(offset, end, 1 + this.#rng.integer(6000)).catch((error: unknown) => {
      const gone = log.logStart > offset || this.#volume.get(log.topicId, log.partition) !== log
      if (gone || log.damaged !== '') return undefined
      throw error
    })
    const bytes = await this.bench.wait(reading)
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
      throw new Error(`read ${offset} to ${end}: ${got.join()} instead of ${wanted.join()}`)
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
    const topic = `t${topicId.slice(-1)}`
    this.trace.push(`create ${nameOf(this.#volume.create({ topic, topicId, partition, replicaGen: this.#gen++ }))}`)
  }

  #append (log: ReplicaLog): void {
    log.configure({ retentionMs: 60_000, retentionBytes: 40_000, segmentBytes: 6000 })
    log.snapshotProducers = () => Buffer.from(`at ${log.logEnd}`)
    const parts: Uint8Array[] = []
    let base = log.logEnd
    let epoch = Math.max(0, log.epochs.at(-1)?.epoch ?? 0)
    for (let count = 1 + this.#rng.integer(3); count > 0; count--) {
      if (this.#rng.chance(0.05)) epoch = Math.max(epoch, log.leaderEpochSeen) + 1
      const values = Array.from({ length: 1 + this.#rng.integer(3) }, () =>
        `v${this.#value++}${'.'.repeat(this.#rng.integer(this.#rng.chance(0.1) ? 5000 : 200))}`)
      parts.push(batch({ base, epoch, values, timestamp: this.bench.clock.wallTime() }))
      base += values.length
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
    for (const log of this.#volume.replicas()) {
      if (log.durableEnd > log.logEnd) throw new Error(`${log.durableEnd} of ${log.logEnd} is durable`)
      now[nameOf(log)] = observe(log, before[nameOf(log)])
    }
    const names = Object.keys(now)
    if (names.length === Object.keys(before).length && names.every(name => now[name] === before[name])) return
    const states = this.#states
    // Batches of one call may come to lie in two frames.
    for (const name of names) {
      for (const partial of between(before[name], now[name]!)) states.push({ ...before, [name]: partial })
    }
    const index = states.push(now) - 1
    this.#volume.whenDurable(() => {
      if (this.#states === states) this.#durable = Math.max(this.#durable, index)
    })
  }
}

function row (log: ReplicaLog, leaderEpoch: number, version: number): PartitionRow {
  const { topicId, partition } = log
  return {
    topicId, partition, replicas: [0], leader: 0, leaderEpoch, inSync: [], version, minInSync: 1,
    adding: [], removing: [], barred: []
  }
}
