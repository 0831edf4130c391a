// consumer.run: records handed to a function, several at once, in order by partition or by key.
//
// Each partition is a lane with a window of records that are not finished. What counts as finished is what lies
// before the first that is not: so nothing that a commit covers is still being worked on.
import type { RecordCursor } from '../wire/batch-reader.ts'
import { recordOf } from './consumer-iterators.ts'
import type { BatchOfReader } from './consumer-iterators.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import { DeserializationError, toMillraceError } from './errors.ts'
import { Fifo } from './fifo.ts'
import { runAheadMin } from './limits.ts'
import type { PartitionReader } from './partition-reader.ts'

/** How `run` hands out records. */
export interface RunOptions {
  /** Records handled at once, all partitions together (1). With as many as partitions, none holds up another. */
  readonly concurrency?: number | undefined
  /** 'partition' (default): one after the other. 'key': those of one key; those without a key in any order. */
  readonly orderedBy?: 'key' | 'partition' | undefined
  /** Ends the run: what has been begun is finished, the rest is for the next loop. */
  readonly signal?: AbortSignal | undefined
}

/** Works on a record; the record is finished when what it returns is. */
export type RecordHandler<K, V> = (record: ConsumerRecord<K, V>) => unknown

/** What a run needs of its consumer. */
export interface RunSource {
  readonly isClosed: boolean
  /** Others may read what this member reads. */
  readonly isOnHold: boolean
  /** Partitions that are read. */
  readonly partitions: number
  readonly onUndecodable: ((error: DeserializationError) => unknown) | undefined
  take (wanted: (reader: PartitionReader) => boolean): BatchOfReader | undefined
  changed (signal: AbortSignal | undefined): Promise<void>
  wake (): void
  /** A record is asked for: the caller keeps its pace. */
  asked (): void
  handedBack (reader: PartitionReader): void
}

interface Entry {
  readonly offset: number
  /** What it must not run beside; undefined: nothing. */
  readonly key: string | undefined
  readonly record: ConsumerRecord<unknown, unknown> | DeserializationError | undefined
  state: 'waiting' | 'running' | 'done'
}

/** One partition of a run. */
class Lane {
  readonly reader: PartitionReader
  readonly #generation: number
  readonly #byKey: boolean
  readonly #ahead: number
  readonly #window = new Fifo<Entry>()
  #current: { readonly cursor: RecordCursor, readonly batch: BatchOfReader['batch'] } | undefined
  #next = -1
  #takenEnd = -1
  running = 0

  constructor (reader: PartitionReader, byKey: boolean, ahead: number) {
    this.reader = reader
    this.#generation = reader.generation
    this.#byKey = byKey
    this.#ahead = ahead
  }

  /** It was sought elsewhere, or is another member's: what waits is nobody's. */
  get isVoid (): boolean { return this.reader.isRevoked || this.reader.generation !== this.#generation }
  get isEmpty (): boolean { return this.#window.length === 0 && this.#current === undefined }
  get wantsBatch (): boolean { return this.#current === undefined && this.#window.length < this.#ahead }

  add (batch: BatchOfReader['batch']): void {
    this.#takenEnd = batch.lastOffset + 1
    this.#next = Math.max(this.#next, batch.firstOffset)
    this.#current = { batch, cursor: batch.cursor() }
    this.#fill()
  }

  /** Makes records of bytes, as many as the window holds. */
  #fill (): void {
    while (this.#current !== undefined && this.#window.length < this.#ahead) {
      const { cursor, batch } = this.#current
      if (!this.#step(cursor)) {
        this.#current = undefined
        // Offsets that compaction took away are finished as well.
        if (this.#next <= batch.lastOffset) this.#push(batch.lastOffset, undefined, undefined, 'done')
        this.#settle()
        return
      }
      if (cursor.offset < this.#next) continue
      const key = this.#byKey ? cursor.key() : undefined
      this.#push(cursor.offset, key === null || key === undefined ? undefined : Buffer.from(key).toString('latin1'),
        recordOf(batch, cursor), 'waiting')
    }
  }

  #step (cursor: RecordCursor): boolean {
    try {
      return cursor.next()
    } catch (error) {
      throw toMillraceError(error, this.reader.place)
    }
  }

  #push (offset: number, key: string | undefined, record: Entry['record'], state: Entry['state']): void {
    this.#next = offset + 1
    this.#window.push({ offset, key, record, state })
  }

  /** The next record that may run beside those that do; it runs from now on. */
  begin (): Entry | undefined {
    const busy = new Set<string>()
    for (const entry of this.#window) {
      if (entry.state === 'done') continue
      if (!this.#byKey) return entry.state === 'running' ? undefined : this.#run(entry)
      const { key } = entry
      if (entry.state === 'waiting' && (key === undefined || !busy.has(key))) return this.#run(entry)
      if (key !== undefined) busy.add(key)
    }
    return undefined
  }

  #run (entry: Entry): Entry {
    entry.state = 'running'
    this.running++
    return entry
  }

  ended (entry: Entry, isDone: boolean): void {
    this.running--
    entry.state = isDone ? 'done' : 'waiting'
    if (!isDone || this.reader.generation !== this.#generation) return
    this.reader.progress++
    this.#settle()
    if (!this.isVoid) this.#fill()
  }

  /** Moves what is finished up to the first record that is not. */
  #settle (): void {
    let finished = -1
    for (let head = this.#window.peek(); head?.state === 'done'; head = this.#window.peek()) {
      finished = head.offset + 1
      this.#window.shift()
    }
    const { reader } = this
    // A commit of the caller's may have gone ahead.
    reader.finished = Math.max(reader.finished, finished)
    if (this.#window.length > 0 || this.#current !== undefined) reader.position = reader.finished
    else reader.position = Math.max(reader.position, this.#next)
  }

  /** Nothing more of it is begun. What was not finished is read again by whoever goes on. */
  drop (): void {
    const { reader } = this
    this.#window.clear()
    this.#current = undefined
    if (!this.isVoid && reader.finished < this.#takenEnd) reader.startAt(reader.finished)
  }
}

export class Runner {
  readonly #source: RunSource
  readonly #handler: (record: ConsumerRecord<unknown, unknown>) => unknown
  readonly #concurrency: number
  readonly #byKey: boolean
  readonly #signal: AbortSignal | undefined
  /** In turn: who began a record goes to the end. */
  readonly #lanes = new Map<PartitionReader, Lane>()
  #running = 0
  #failure: { readonly error: unknown } | undefined

  constructor (source: RunSource, handler: (record: ConsumerRecord<unknown, unknown>) => unknown,
    options: RunOptions) {
    this.#source = source
    this.#handler = handler
    this.#concurrency = Math.max(1, Math.floor(options.concurrency ?? 1))
    this.#byKey = options.orderedBy === 'key'
    this.#signal = options.signal
  }

  get #isOver (): boolean {
    return this.#failure !== undefined || this.#source.isClosed || this.#signal?.aborted === true
  }

  /** Resolves when the signal aborts or the consumer closes; rejects with what a handler, or reading, failed with. */
  async run (): Promise<void> {
    while (!this.#isOver || this.#running > 0) {
      try {
        this.#sweep()
        if (!this.#isOver) this.#beginAll()
      } catch (error) {
        this.#failure ??= { error }
      }
      if (this.#isOver && this.#running === 0) break
      await this.#source.changed(this.#isOver ? undefined : this.#signal)
    }
    for (const lane of [...this.#lanes.values()]) this.#end(lane)
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Lanes that have nothing left, or that went to another member, are given back. */
  #sweep (): void {
    for (const lane of [...this.#lanes.values()]) {
      if (lane.running === 0 && (lane.isVoid || lane.isEmpty || lane.reader.paused)) this.#end(lane)
    }
  }

  #end (lane: Lane): void {
    this.#lanes.delete(lane.reader)
    lane.drop()
    this.#source.handedBack(lane.reader)
  }

  #beginAll (): void {
    if (this.#running === 0) this.#source.asked()
    for (;;) {
      this.#takeAll()
      const begun = [...this.#lanes.values()].some(lane => this.#mayBegin(lane) && this.#begin(lane))
      if (!begun) return
    }
  }

  #takeAll (): void {
    const wanted = (reader: PartitionReader): boolean => this.#lanes.get(reader)?.wantsBatch ?? true
    for (let taken = this.#source.take(wanted); taken !== undefined; taken = this.#source.take(wanted)) {
      const { reader, batch } = taken
      let lane = this.#lanes.get(reader)
      if (lane === undefined) {
        lane = new Lane(reader, this.#byKey, Math.max(runAheadMin, 2 * this.#concurrency))
        this.#lanes.set(reader, lane)
      }
      reader.position = Math.max(0, reader.finished)
      lane.add(batch)
    }
  }

  /** A slot is kept for every partition that has nothing running, as far as there are slots. */
  #mayBegin (lane: Lane): boolean {
    const free = this.#concurrency - this.#running
    if (free === 0 || lane.isVoid || lane.reader.paused || this.#source.isOnHold) return false
    if (lane.running === 0) return true
    let busy = 0
    for (const each of this.#lanes.values()) if (each.running > 0) busy++
    return free > this.#source.partitions - busy
  }

  #begin (lane: Lane): boolean {
    const entry = lane.begin()
    if (entry === undefined) return false
    this.#lanes.delete(lane.reader)
    this.#lanes.set(lane.reader, lane)
    this.#running++
    this.#source.asked()
    this.#handle(entry).then(() => true, (error: unknown) => {
      this.#failure ??= { error }
      return false
    }).then(isDone => {
      this.#running--
      lane.ended(entry, isDone)
    }).catch((error: unknown) => { this.#failure ??= { error } })
      .finally(() => { this.#source.wake() })
    return true
  }

  async #handle ({ record }: Entry): Promise<void> {
    if (!(record instanceof DeserializationError)) {
      await this.#handler(record!)
      return
    }
    const { onUndecodable } = this.#source
    if (onUndecodable === undefined) throw record
    await onUndecodable(record)
  }
}
