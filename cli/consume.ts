// millrace consume: records to stdout.
import type { ConsumedBatch } from '../client/consumed-batch.ts'
import type { Consumer } from '../client/consumer.ts'
import type { OffsetReset, StartAt, TopicPartition } from '../client/consumer-options.ts'
import { MillraceError } from '../client/errors.ts'
import { withClient } from './connect.ts'
import { QueueSession } from './consume-queue.ts'
import type { ConsumeQueueOptions } from './consume-queue.ts'
import { CliError, exitCodes } from './exit.ts'
import { note } from './notes.ts'
import type { WaitingNotes } from './notes.ts'
import { Output } from './output.ts'
import { compileFormat, jsonLine, valueLine } from './record-format.ts'
import type { RecordWriter } from './record-format.ts'
import { interruption } from './signals.ts'
import type { Interruption } from './signals.ts'

export interface ConsumeOptions {
  readonly bootstrap: string
  /** Milliseconds without a broker or a leader after which the command gives up. */
  readonly timeout: number
  readonly offset?: StartAt
  readonly partition?: readonly number[]
  readonly count?: number
  readonly format?: string
  readonly json?: boolean
  readonly exit?: boolean
  readonly group?: string
  readonly queue?: boolean
  readonly byKey?: boolean
  readonly deadLetter?: string
  readonly maxDeliveries?: number
}

const commitMs = 1_000
/** How often partitions whose end may be reached without a record are looked at. */
const endCheckMs = 100

export async function consume (topic: string, options: ConsumeOptions): Promise<number> {
  const plain = options.format === undefined ? valueLine : compileFormat(options.format)
  const write = options.json === true ? jsonLine : plain
  const interrupted = interruption()
  const stop = new AbortController()
  const end = (): void => { stop.abort() }
  interrupted.signal.addEventListener('abort', end)
  const output = new Output(end)
  try {
    await withClient(options, async (client, waiting) => {
      if (options.queue === true) {
        await new QueueSession(client, topic, queueOptions(options), output, write, waiting, stop).run()
        return
      }
      const session: { is?: Session } = {}
      const consumer = client.consumer({
        ...options.group !== undefined && { group: options.group },
        // Only what was written to stdout is committed.
        autoCommitIntervalMs: 0,
        // A group would skip what came in the meantime; a person who names an offset past the end does not
        // want everything again.
        reset: options.group === undefined ? 'nearest' : 'earliest',
        onReset: reset => {
          noteReset(reset)
          session.is?.reset(reset.partition)
        },
        onAssigned: partitions => { session.is?.assigned(partitions) },
        onRevoked: async partitions => { await session.is?.revoked(partitions) },
        onLost: (partitions, why) => {
          session.is?.forget(partitions)
          note(`${partitions.length} of ${topic}'s partitions went to other members: ${why.message}`)
        },
        clientId: 'millrace consume',
        waitTimeoutMs: options.timeout
      })
      session.is = new Session(topic, options, consumer, output, write, waiting, stop)
      try {
        await session.is.run()
      } finally {
        await consumer.close()
      }
    })
  } catch (error) {
    const stopped = stop.signal.aborted && error instanceof MillraceError && error.code === 'CANCELLED'
    if (!stopped) throw error
  } finally {
    interrupted.stop()
  }
  if (output.failure !== undefined) throw output.failure
  return leaveWith(interrupted, options)
}

/** @throws CliError. */
function queueOptions ({ byKey, ...options }: ConsumeOptions): ConsumeQueueOptions {
  const { group, offset, partition } = options
  if (group === undefined) throw new CliError('--queue is for members of a group: name it with -g', exitCodes.usage)
  if (partition !== undefined) throw new CliError('--queue shares all partitions: leave -p out', exitCodes.usage)
  if (offset !== undefined && offset !== 'start' && offset !== 'end') {
    throw new CliError('--queue begins at start or end; millrace group reset sets another place', exitCodes.usage)
  }
  return { ...options, group, ...byKey === true && { orderedBy: 'key' } }
}

function noteReset ({ topic, partition, wanted, logStart, highWatermark, to }: OffsetReset): void {
  const why = wanted < logStart ? `is gone, the first one is ${logStart}` : `is past the end, ${highWatermark}`
  note(`${topic}/${partition}: offset ${wanted} ${why}; reading from the ${to}`)
}

/** An endless read ends by a signal: that is its good end. One that was to end by itself did not. */
function leaveWith (interrupted: Interruption, options: ConsumeOptions): number {
  const bounded = options.exit === true || options.count !== undefined
  return bounded ? interrupted.exitCode() ?? exitCodes.ok : exitCodes.ok
}

class Session {
  readonly #topic: string
  readonly #options: ConsumeOptions
  readonly #consumer: Consumer
  readonly #output: Output
  readonly #write: RecordWriter
  readonly #waiting: WaitingNotes
  readonly #stop: AbortController
  /** By partition: the next offset after what is in the output. */
  readonly #next = new Map<number, number>()
  readonly #committed = new Map<number, number>()
  /** Partitions that have not reached the end found at start; undefined without -e. */
  #open: Map<number, number> | undefined
  /** Questions for ends that are under way. */
  #asking = 0
  /** Partitions that were not read from where it was wished. */
  readonly #resets = new Set<number>()
  #failure: unknown
  #left: number
  #committedAt = performance.now()
  #committing: Promise<void> | undefined

  constructor (topic: string, options: ConsumeOptions, consumer: Consumer, output: Output, write: RecordWriter,
    waiting: WaitingNotes, stop: AbortController) {
    this.#topic = topic
    this.#options = options
    this.#consumer = consumer
    this.#output = output
    this.#write = write
    this.#waiting = waiting
    this.#stop = stop
    this.#left = options.count ?? Infinity
  }

  async run (): Promise<void> {
    const { timeout: timeoutMs, partition, exit, group } = this.#options
    // Somebody who watches wants what comes; somebody who wants the end, or a group, wants everything before it.
    const { offset = exit === true || group !== undefined ? 'start' : 'end' } = this.#options
    const { signal } = this.#stop
    if (group !== undefined && partition === undefined) {
      if (exit === true) this.#open = new Map()
      await this.#consumer.subscribe([this.#topic], { timeoutMs, signal, from: offset })
    } else {
      const assignment = { topic: this.#topic, partitions: partition ?? 'all' as const, from: offset }
      await this.#consumer.assign([assignment], { timeoutMs, signal })
      if (exit === true) {
        const ends = await this.#consumer.endOffsets({ timeoutMs, signal })
        await this.#consumer.located({ timeoutMs, signal })
        this.#open = new Map(ends.map(end => [end.partition, end.offset]))
      }
    }
    const ticker = setInterval(() => { this.#tick() }, endCheckMs)
    try {
      this.#closeEnded()
      for await (const batch of this.#consumer.batches({ signal })) {
        this.#waiting.over()
        await this.#take(batch)
        this.#closeEnded()
        if (signal.aborted) break
      }
    } finally {
      clearInterval(ticker)
      await this.#finish()
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The group gave partitions to this member: with -e they are read to the end that they have now. */
  assigned (partitions: readonly TopicPartition[]): void {
    if (this.#open === undefined) return
    this.#asking++
    const { timeout: timeoutMs } = this.#options
    this.#consumer.endOffsets({ timeoutMs, signal: this.#stop.signal }).then(ends => {
      for (const { partition, offset } of ends) {
        if (partitions.some(each => each.partition === partition)) this.#open?.set(partition, offset)
      }
      this.#consumer.resume(partitions.filter(each => this.#isMine(each)))
    }).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return
      this.#failure = error
      this.#stop.abort()
    }).finally(() => { this.#asking-- })
    // Where the end is has to be known before the first record.
    this.#consumer.pause(partitions)
  }

  #isMine ({ partition }: TopicPartition): boolean {
    return this.#consumer.assignment().some(each => each.partition === partition)
  }

  /** They go to another member, which goes on where the output ends. */
  async revoked (partitions: readonly TopicPartition[]): Promise<void> {
    await this.#output.flush()
    await this.#committing
    await this.#commit()
    this.forget(partitions)
  }

  forget (partitions: readonly TopicPartition[]): void {
    for (const { partition } of partitions) {
      this.#open?.delete(partition)
      this.#next.delete(partition)
      this.#committed.delete(partition)
    }
  }

  reset (partition: number): void {
    this.#resets.add(partition)
  }

  async #take (batch: ConsumedBatch): Promise<void> {
    const output = this.#output
    if (!this.#next.has(batch.partition)) this.#next.set(batch.partition, batch.firstOffset)
    const end = this.#open?.get(batch.partition) ?? Infinity
    // With -e, a partition that has reached its end gives no more, whatever has been added since.
    if (this.#open !== undefined && end === Infinity) return
    const cursor = batch.cursor()
    let next = batch.lastOffset + 1
    while (cursor.next()) {
      if (cursor.offset < batch.firstOffset) continue
      if (this.#left === 0 || cursor.offset >= end) {
        next = cursor.offset
        break
      }
      this.#write(output, batch, cursor)
      this.#left--
      if (output.isFull) await output.flush()
    }
    await output.flush()
    if (output.isBroken) return
    this.#next.set(batch.partition, next)
    if (next >= end) this.#open?.delete(batch.partition)
    if (this.#left === 0) this.#stop.abort()
  }

  /** Takes note of partitions that have nothing more to give. */
  #closeEnded (): void {
    if (this.#open === undefined) return
    for (const [partition, end] of this.#open) if (this.#hasEnded(partition, end)) this.#open.delete(partition)
    if (this.#open.size === 0 && this.#asking === 0 && !this.#consumer.isSettling) this.#stop.abort()
  }

  #hasEnded (partition: number, end: number): boolean {
    const read = this.#next.get(partition)
    if (read !== undefined) return read >= end
    const place = { topic: this.#topic, partition }
    const position = this.#isMine(place) ? this.#consumer.position(place) : undefined
    if (position === undefined || position < end) return false
    // Past the end: whether that offset is one at all is the leader's word, and worth a note.
    return position === end || this.#resets.has(partition) || this.#consumer.lag(place) !== undefined
  }

  #tick (): void {
    this.#closeEnded()
    if (performance.now() - this.#committedAt < commitMs) return
    this.#committedAt = performance.now()
    this.#committing ??= this.#commit().catch((error: unknown) => {
      note(`could not commit yet: ${error instanceof Error ? error.message : String(error)}`)
    }).finally(() => { this.#committing = undefined })
  }

  async #commit (): Promise<void> {
    if (this.#options.group === undefined) return
    this.#noteStarts()
    const news = [...this.#next].filter(([partition, offset]) => this.#committed.get(partition) !== offset)
    if (news.length === 0) return
    const mine = news.filter(([partition]) => this.#isMine({ topic: this.#topic, partition }))
    await this.#consumer.commit(mine.map(([partition, offset]) => ({ topic: this.#topic, partition, offset })),
      { timeoutMs: this.#options.timeout })
    for (const [partition, offset] of news) this.#committed.set(partition, offset)
  }

  /** A partition without a record yet is committed where it begins: the group goes on there. */
  #noteStarts (): void {
    for (const { topic, partition } of this.#consumer.assignment()) {
      const position = this.#consumer.position({ topic, partition })
      if (position !== undefined && !this.#next.has(partition)) this.#next.set(partition, position)
    }
  }

  async #finish (): Promise<void> {
    await this.#output.flush()
    await this.#committing
    await this.#commit()
  }
}
