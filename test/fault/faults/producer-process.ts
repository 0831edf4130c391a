// A producing client in a process of its own: unique values to every partition, until SIGTERM; then it waits
// for what is under way. The history says what became of each record.
import { Millrace, MillraceError, RefusedError } from '../../../client/index.ts'
import { SimRng } from '../../sim/rng.ts'
import { pause } from './clock.ts'
import { optionsOf } from './client-options.ts'
import { HistoryFile } from './history-file.ts'

/** What a partition may owe; while it takes no writes nothing more is sent to it. */
const outstandingMax = 20
const deliveryTimeoutMs = 600_000
/** In each partition. */
const keys = 50

const options = optionsOf(process.argv[2])
const { name, topics, everyMs = 25, keyed = false } = options
let stopped = false
// From here on it ends in order; before it has a history SIGTERM ends it at once.
process.on('SIGTERM', () => { stopped = true })
const rng = new SimRng(options.seed)
const history = new HistoryFile(options.historyFile, name)
const client = new Millrace({ bootstrap: options.bootstrap })
const producer = client.producer({
  deliveryTimeoutMs,
  lingerMs: rng.pick([0, 5]),
  inFlightMax: rng.pick([1, 5]),
  requestTimeoutMs: rng.pick([1_500, 30_000])
})
const outstanding = new Map<string, number>()
let sent = 0
let batch = 0

function send (topic: string, partition: number, count: number): void {
  const key = `${topic}-${partition}`
  const values = Array.from({ length: count }, () => `${name}-${++sent}`)
  batch++
  const first = history.begin(values.map(value => ({ kind: 'send' as const, key, value, batch })))
  outstanding.set(key, (outstanding.get(key) ?? 0) + count)
  values.forEach((value, index) => {
    const padding = 'x'.repeat(rng.integer(400))
    const recordKey = keyed ? `k${rng.integer(keys)}` : null
    producer.send({ topic, partition, key: recordKey, value: `${value} ${padding}` }).then(
      ({ offset }) => { history.end(first + index, { outcome: 'ok', offset }) },
      (error: unknown) => { failed(first + index, error) }
    ).finally(() => { outstanding.set(key, outstanding.get(key)! - 1) }).catch(die)
  })
}

function failed (operation: number, error: unknown): void {
  if (!(error instanceof MillraceError) || error.code === 'INTERNAL') throw error
  // The client says 'not written' only when it is certain; the checker holds it to that.
  const certain = error instanceof RefusedError || error.message.includes('not written')
  history.end(operation, { outcome: certain ? 'failed' : 'unknown', error: `${error.code}: ${error.message}` })
}

function die (error: unknown): void {
  process.stderr.write(`${name}: ${(error as Error).stack ?? String(error)}\n`)
  process.exit(1)
}

while (!stopped) {
  for (const topic of topics) {
    for (let partition = 0; partition < topic.partitions; partition++) {
      if ((outstanding.get(`${topic.name}-${partition}`) ?? 0) >= outstandingMax) continue
      send(topic.name, partition, rng.chance(0.05) ? 1 + rng.integer(10) : 1)
    }
  }
  await pause(everyMs)
}
await producer.close()
await client.close()
process.exit(0)
