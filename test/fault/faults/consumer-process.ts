// A consuming client in a process of its own. Everything that it is given, and every position that its group
// had or committed, goes into the history. A drain reads everything from the start to the ends that it finds,
// says so and ends; others go on until SIGTERM.
import { Millrace, MillraceError } from '../../../client/index.ts'
import type { ConsumedBatch } from '../../../client/index.ts'
import type { PolledRecord } from '../../check/history.ts'
import { SimRng } from '../../sim/rng.ts'
import { pause } from './clock.ts'
import { optionsOf } from './client-options.ts'
import { HistoryFile } from './history-file.ts'

const options = optionsOf(process.argv[2])
const { role, topics, group, name } = options
const ended = new AbortController()
// From here on it ends in order; before it has a history SIGTERM ends it at once.
process.on('SIGTERM', () => { ended.abort() })
const rng = new SimRng(options.seed)
const history = new HistoryFile(options.historyFile, name)
const client = new Millrace({ bootstrap: options.bootstrap })
const consumer = client.consumer({ ...group !== undefined && { group, autoCommitIntervalMs: 0 } })
const decoder = new TextDecoder()
/** The next offset that it wants, by key. */
const positions = new Map<string, number>()
const places = topics.flatMap(({ name: topic, partitions }) => Array.from({ length: partitions },
  (_, partition) => ({ topic, partition, key: `${topic}-${partition}` })))

async function assign (): Promise<void> {
  const asked = group === undefined ? undefined : history.begin([{ kind: 'committed', group, offsets: [] }])
  for (;;) {
    try {
      await consumer.assign(topics.map(topic => ({ topic: topic.name, partitions: 'all', from: 'start' })))
      break
    } catch (error) {
      if (!(error instanceof MillraceError && error.retriable) || ended.signal.aborted) throw error
      await pause(200)
    }
  }
  const found = places.map(place => ({ key: place.key, offset: consumer.position(place) }))
  if (asked !== undefined) history.end(asked, { outcome: 'ok', offsets: found })
  for (const { key, offset } of found) positions.set(key, offset ?? 0)
  history.happened({ kind: 'assign', positions: found.map(({ key, offset }) => ({ key, offset: offset ?? 0 })) })
}

function polled (batch: ConsumedBatch): void {
  const key = `${batch.topic}-${batch.partition}`
  const records: PolledRecord[] = []
  for (const { offset, value } of batch) {
    records.push({ key, offset, value: decoder.decode(value ?? undefined).split(' ')[0]! })
  }
  history.happened({ kind: 'poll', records })
  positions.set(key, batch.lastOffset + 1)
}

async function commit (): Promise<void> {
  const offsets = places.map(place => ({ ...place, offset: positions.get(place.key)! }))
  const operation = history.begin([{
    kind: 'commit', group: group!, offsets: offsets.map(({ key, offset }) => ({ key, offset }))
  }])
  try {
    await consumer.commit(offsets, { timeoutMs: rng.pick([1_000, 30_000]) })
    history.end(operation, { outcome: 'ok' })
  } catch (error) {
    if (!(error instanceof MillraceError) || !error.retriable) throw error
    history.end(operation, { outcome: 'unknown', error: error.message })
  }
}

function seek ({ topic, partition, lastOffset }: ConsumedBatch): void {
  const key = `${topic}-${partition}`
  // Not far: a reader that goes back over everything would never catch up in a long run.
  const offset = Math.max(0, lastOffset - rng.integer(500))
  consumer.seek({ topic, partition }, offset)
  positions.set(key, offset)
  history.happened({ kind: 'assign', positions: [{ key, offset }] })
}

async function work (): Promise<void> {
  let sinceCommit = performance.now()
  for await (const batch of consumer.batches({ signal: ended.signal })) {
    polled(batch)
    if (group === undefined) {
      if (rng.chance(0.002)) seek(batch)
    } else if (performance.now() - sinceCommit > 500) {
      await commit()
      sinceCommit = performance.now()
    }
  }
}

async function drain (): Promise<void> {
  const ends = new Map((await consumer.endOffsets({ timeoutMs: 600_000 }))
    .map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset]))
  const done = (): boolean => places.every(({ key }) => positions.get(key)! >= ends.get(key)!)
  if (done()) return
  for await (const batch of consumer.batches({ signal: ended.signal })) {
    polled(batch)
    if (done()) return
  }
}

try {
  await assign()
  await (role === 'drain' ? drain() : work())
  process.exit(0)
} catch (error) {
  process.stderr.write(`${name}: ${(error as Error).stack ?? String(error)}\n`)
  process.exit(1)
}
