// A worker of a queue group in a process of its own. Every record that it is given, and what became of it, goes into
// the history. It fails at some and rejects some. It goes on until SIGTERM; then it leaves.
import { Millrace, MillraceError } from '../../../client/index.ts'
import type { QueueRecord } from '../../../client/index.ts'
import type { Settlement } from '../../check/history.ts'
import { SimRng } from '../../sim/rng.ts'
import { nowMs, pause } from './clock.ts'
import { optionsOf } from './client-options.ts'
import { deliveriesMax, sessionTimeoutMs, workQueues } from './groups.ts'
import { HistoryFile } from './history-file.ts'
import { subscribed } from './subscribed.ts'

const options = optionsOf(process.argv[2])
const { topics, name, group = '' } = options
const { deadLetterTopic, isOrdered } = workQueues.find(each => each.name === group)!
const ended = new AbortController()
// From here on it ends in order; before it has a history SIGTERM ends it at once.
process.on('SIGTERM', () => { ended.abort() })
const rng = new SimRng(options.seed)
const history = new HistoryFile(options.historyFile, name)
const decoder = new TextDecoder()
const textOf = (bytes: Uint8Array | null): string => decoder.decode(bytes ?? undefined)

const queue = new Millrace({ bootstrap: options.bootstrap }).queue({
  group,
  deadLetterTopic,
  maxDeliveries: deliveriesMax,
  orderedBy: isOrdered ? 'key' : undefined,
  sessionTimeoutMs,
  leaseMs: rng.pick([3_000, 10_000]),
  retryDelayMs: 200
})

async function take (record: QueueRecord): Promise<void> {
  const { topic, partition, offset, deliveries } = record
  const delivery = history.begin([{
    kind: 'delivery', group, key: `${topic}-${partition}`, offset, deliveries,
    value: textOf(record.value).split(' ')[0]!, recordKey: textOf(record.key)
  }])
  if (rng.chance(0.2)) await pause(rng.integer(150))
  const settlement = rng.pick<Settlement>(rng.chance(0.02) ? ['released', 'rejected'] : ['acknowledged'])
  const timeoutMs = rng.pick([1_000, 10_000])
  history.note(delivery, { settlement, settledAtMs: nowMs() })
  try {
    if (settlement === 'acknowledged') await record.acknowledge({ timeoutMs })
    else if (settlement === 'rejected') await record.reject('no good', { timeoutMs })
    else await record.release({ delayMs: 200, timeoutMs })
    history.end(delivery, { outcome: 'ok' })
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const { code, message, retriable } = error
    if (!retriable && code !== 'LEASE_LOST' && code !== 'CLOSED' && code !== 'TIMED_OUT') throw error
    history.end(delivery, { outcome: code === 'LEASE_LOST' ? 'failed' : 'unknown', error: `${code}: ${message}` })
  }
}

try {
  await subscribed(() => queue.subscribe(topics.map(topic => topic.name)), ended.signal)
  if (!ended.signal.aborted) await queue.run(take, { concurrency: 8, signal: ended.signal })
  await queue.close()
  process.exit(0)
} catch (error) {
  process.stderr.write(`${name}: ${(error as Error).stack ?? String(error)}\n`)
  process.exit(1)
}
