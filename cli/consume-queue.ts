// millrace consume --queue: records to stdout, shared one by one with the other members of a queue group. A record is
// acknowledged when it is written.
import type { MillraceClient } from '../client/millrace.ts'
import type { Queue } from '../client/queue.ts'
import type { QueueRecord } from '../client/queue-options.ts'
import type { WaitingNotes } from './notes.ts'
import type { Output } from './output.ts'
import type { RecordWriter } from './record-format.ts'

export interface ConsumeQueueOptions {
  readonly timeout: number
  readonly count?: number
  readonly exit?: boolean
  readonly group: string
  readonly orderedBy?: 'key'
  readonly deadLetter?: string
  readonly maxDeliveries?: number
  readonly offset?: unknown
}

/** A terminal, or a pipe, takes so many at a time without a pause. */
const inFlightMax = 500
const endCheckMs = 300

export class QueueSession {
  readonly #client: MillraceClient
  readonly #topic: string
  readonly #options: ConsumeQueueOptions
  readonly #queue: Queue
  readonly #output: Output
  readonly #write: RecordWriter
  readonly #waiting: WaitingNotes
  readonly #stop: AbortController
  #written: QueueRecord[] = []
  #settling: Promise<void> | undefined
  #left: number

  constructor (client: MillraceClient, topic: string, options: ConsumeQueueOptions, output: Output, write: RecordWriter,
    waiting: WaitingNotes, stop: AbortController) {
    this.#client = client
    this.#topic = topic
    this.#options = options
    this.#output = output
    this.#write = write
    this.#waiting = waiting
    this.#stop = stop
    this.#left = options.count ?? Infinity
    this.#queue = client.queue({
      group: options.group,
      clientId: 'millrace consume',
      maxInFlight: Math.min(inFlightMax, options.count ?? inFlightMax),
      waitTimeoutMs: options.timeout,
      reset: options.offset === 'end' ? 'latest' : 'earliest',
      orderedBy: options.orderedBy,
      deadLetterTopic: options.deadLetter,
      maxDeliveries: options.maxDeliveries
    })
  }

  async run (): Promise<void> {
    const { timeout: timeoutMs, exit } = this.#options
    const { signal } = this.#stop
    try {
      await this.#queue.subscribe([this.#topic], { timeoutMs, signal })
      const ended = exit === true ? this.#watchEnd() : undefined
      // Looked at below, when the loop has ended for it.
      ended?.catch(() => {})
      for await (const record of this.#queue.records({ signal })) {
        this.#waiting.over()
        this.#take(record)
        if (this.#output.isFull) await this.#output.flush()
        if (--this.#left === 0) break
      }
      await this.#settle()
      this.#stop.abort()
      await ended
    } finally {
      await this.#queue.close()
    }
  }

  #take (record: QueueRecord): void {
    const { topic, partition, key, value, headers } = record
    const keyEnd = key?.length ?? 0
    this.#write(this.#output, { topic, partition }, {
      offset: record.offset,
      timestamp: record.timestamp,
      bytes: Buffer.concat([key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]),
      keyStart: key === null ? -1 : 0,
      keyEnd,
      valueStart: value === null ? -1 : keyEnd,
      valueEnd: keyEnd + (value?.length ?? 0),
      headersCount: headers.length,
      headers: () => [...headers],
      key: () => key,
      value: () => value
    })
    this.#written.push(record)
    // What is written meanwhile is acknowledged together with it.
    this.#settling ??= this.#settle().finally(() => { this.#settling = undefined })
    this.#settling.catch(() => { this.#stop.abort() })
  }

  async #settle (): Promise<void> {
    while (this.#written.length > 0) {
      const written = this.#written
      this.#written = []
      // What is written from here on is not in this flush, and not acknowledged with it.
      await this.#output.flush()
      if (this.#output.isBroken) return
      // One whose lease is over comes again, here or elsewhere.
      await Promise.allSettled(written.map(record => record.acknowledge({ timeoutMs: this.#options.timeout })))
    }
  }

  /** Ends when everything that was there at the start is finished, by whichever member. */
  async #watchEnd (): Promise<void> {
    const admin = this.#client.admin()
    const patience = { timeoutMs: this.#options.timeout, signal: this.#stop.signal }
    try {
      const { partitions } = await admin.describeTopic(this.#topic, patience)
      const queries = partitions.map((_, partition) => ({ topic: this.#topic, partition, at: 'end' as const }))
      const ends = await admin.listOffsets(queries, patience)
      for (;;) {
        const { offsets } = await admin.describeGroup(this.#options.group, patience)
        const starts = new Map(offsets.filter(({ topic }) => topic === this.#topic)
          .map(({ partition, offset }) => [partition, offset]))
        if (ends.every(({ partition, offset }) => offset === 0 || (starts.get(partition) ?? 0) >= offset)) break
        await new Promise(resolve => { setTimeout(resolve, endCheckMs) })
        if (this.#stop.signal.aborted) return
      }
    } finally {
      this.#stop.abort()
    }
  }
}
