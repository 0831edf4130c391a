// The load of bench/failover.ts, in a process of its own: a record to every partition, or to some of them, every few
// milliseconds, each acknowledged by the quorum. Measures each partition's longest time between two acknowledgements.
import { Millrace } from '../client/index.ts'

export interface LoadOptions {
  readonly bootstrap: readonly string[]
  readonly topic: string
  readonly partitions: number
  /** Only every so many of them is written to. */
  readonly stride: number
  readonly everyMs: number
}

export type LoadQuestion = { readonly kind: 'reset' } | { readonly kind: 'gaps' } | { readonly kind: 'end' }

export interface LoadAnswer {
  /** By partition: the longest since the reset, those that still wait included; 0 of one that is not written to. ms */
  readonly gapsMs: readonly number[]
  /** By partition: when that gap ended, since the reset. ms */
  readonly endsMs: readonly number[]
  /** By partition: since the last acknowledgement; 0 of one that is not written to. ms */
  readonly silentMs: readonly number[]
  /** Since the start. */
  readonly errors: number
  readonly acknowledged: number
}

/** More than a partition sends in the longest gap that is aimed at would only make its end harder. */
const outstandingMax = 5

const options = JSON.parse(process.argv[2] ?? '{}') as LoadOptions
const { topic, partitions, stride } = options
const client = new Millrace({ bootstrap: options.bootstrap })
// Longer than any outage here: a record that waits is a gap, not an error.
const producer = client.producer({ lingerMs: 0, deliveryTimeoutMs: 900_000 })
const last = new Float64Array(partitions)
const longest = new Float64Array(partitions)
const longestEnd = new Float64Array(partitions)
let resetAt = performance.now()
const outstanding = new Uint8Array(partitions)
let errors = 0
let acknowledged = 0

function send (partition: number): void {
  if (outstanding[partition]! >= outstandingMax) return
  outstanding[partition]!++
  producer.send({ topic, partition, value: String(acknowledged) }).then(() => {
    const now = performance.now()
    if (last[partition] !== 0 && now - last[partition]! > longest[partition]!) {
      longest[partition] = now - last[partition]!
      longestEnd[partition] = now - resetAt
    }
    last[partition] = now
    acknowledged++
  }, (error: unknown) => {
    errors++
    process.stderr.write(`% ${String(error)}\n`)
  }).finally(() => { outstanding[partition]!-- }).catch(() => { /* both were handled */ })
}

const written = Array.from({ length: Math.ceil(partitions / stride) }, (_, index) => index * stride)

// Spread over the interval, as the records of many producers are.
const slots = 10
let slot = 0
const timer = setInterval(() => {
  for (let index = slot; index < written.length; index += slots) send(written[index]!)
  slot = (slot + 1) % slots
}, options.everyMs / slots)

process.on('message', (question: LoadQuestion) => {
  const now = performance.now()
  if (question.kind === 'reset') {
    longest.fill(0)
    resetAt = now
  }
  const silentMs = [...last].map((at, partition) => {
    if (partition % stride !== 0) return 0
    return at === 0 ? Infinity : now - at
  })
  const answer: LoadAnswer = {
    gapsMs: silentMs.map((silent, partition) => Math.max(silent, longest[partition]!)),
    endsMs: silentMs.map((silent, partition) => silent > longest[partition]! ? now - resetAt : longestEnd[partition]!),
    silentMs,
    errors,
    acknowledged
  }
  process.send!(answer)
  if (question.kind !== 'end') return
  clearInterval(timer)
  setTimeout(() => { process.exit(0) }, 5_000).unref()
  client.close().finally(() => { process.exit(0) }).catch(() => { /* the process ends */ })
})
process.on('disconnect', () => { process.exit(1) })
