// A member of a group in a process of its own. Everything that it is given, what it has finished of it, which
// partitions come and go, and its commits go into the history. It goes on until SIGTERM; then it leaves.
import { subscribe } from 'node:diagnostics_channel'
import { Millrace, MillraceError } from '../../../client/index.ts'
import type { ClientEvents, ConsumedBatch, TopicPartition } from '../../../client/index.ts'
import type { PolledRecord } from '../../check/history.ts'
import { SimRng } from '../../sim/rng.ts'
import { nowMs, pause } from './clock.ts'
import { optionsOf } from './client-options.ts'
import { commitIntervalMs, sessionTimeoutMs, workGroups } from './groups.ts'
import { HistoryFile } from './history-file.ts'
import { subscribed } from './subscribed.ts'

const options = optionsOf(process.argv[2])
const { topics, name, group = '' } = options
const byHand = workGroups.find(each => each.name === group)?.commits === 'by hand'
const ended = new AbortController()
// From here on it ends in order; before it has a history SIGTERM ends it at once.
process.on('SIGTERM', () => { ended.abort() })
const rng = new SimRng(options.seed)
const history = new HistoryFile(options.historyFile, name)
const decoder = new TextDecoder()

/** One time that a partition is this member's. */
interface Reading {
  readonly place: TopicPartition
  /** What was finished, and when: by time, since the last acknowledged commit. */
  finished: { readonly offset: number, readonly atMs: number }[]
  committed: number
}

const readings = new Map<string, Reading>()
const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

const consumer = new Millrace({ bootstrap: options.bootstrap }).consumer({
  group,
  autoCommitIntervalMs: byHand ? 0 : commitIntervalMs,
  sessionTimeoutMs,
  onAssigned: places => {
    history.happened({
      kind: 'assign', group, positions: places.map(place => ({ key: keyOf(place), offset: consumer.position(place) }))
    })
    for (const place of places) readings.set(keyOf(place), { place, finished: [], committed: -1 })
  },
  onRevoked: async places => {
    const keys = places.map(keyOf)
    if (byHand) await commit([...readings.keys()].filter(key => keys.includes(key)))
    gone(keys)
  },
  onLost: places => { gone(places.map(keyOf)) }
})

function gone (keys: readonly string[]): void {
  for (const key of keys) readings.delete(key)
  history.happened({ kind: 'revoke', group, keys })
}

/** What the library has committed by itself: everything that was finished when it began, it says. */
subscribe('millrace:offsets.committed', message => {
  const { durationMs, error } = message as ClientEvents['offsets.committed']
  if (byHand || error !== undefined) return
  // A millisecond for the two clocks.
  const begunMs = nowMs() - durationMs - 1
  const offsets: { key: string, offset: number }[] = []
  for (const [key, reading] of readings) {
    const last = reading.finished.findLast(({ atMs }) => atMs <= begunMs)
    if (last === undefined) continue
    reading.finished = reading.finished.slice(reading.finished.indexOf(last))
    if (last.offset > reading.committed) offsets.push({ key, offset: reading.committed = last.offset })
  }
  if (offsets.length > 0) history.happened({ kind: 'commit', byMember: true, group, offsets }, begunMs)
})

/** One after the other, so that it is known of each what became of it. */
async function commit (keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const reading = readings.get(key)
    const offset = reading?.finished.at(-1)?.offset ?? -1
    if (reading === undefined || offset <= reading.committed) continue
    const operation = history.begin([{ kind: 'commit', byMember: true, group, offsets: [{ key, offset }] }])
    try {
      await consumer.commit([{ ...reading.place, offset }], { timeoutMs: rng.pick([1_000, 5_000]) })
      reading.committed = Math.max(reading.committed, offset)
      history.end(operation, { outcome: 'ok' })
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      const { code, message, retriable } = error
      // A refused one may have been sent twice, and have counted the first time.
      if (!retriable && code !== 'FENCED_MEMBER' && code !== 'CLOSED') throw error
      history.end(operation, { outcome: 'unknown', error: `${code}: ${message}` })
    }
  }
}

async function commitNowAndThen (): Promise<void> {
  while (!ended.signal.aborted) {
    await pause(commitIntervalMs)
    await commit([...readings.keys()])
  }
}

async function take (batch: ConsumedBatch): Promise<void> {
  const key = keyOf(batch)
  const records: PolledRecord[] = []
  for (const { offset, value } of batch) {
    records.push({ key, offset, value: decoder.decode(value ?? undefined).split(' ')[0]! })
  }
  const reading = readings.get(key)
  const operation = history.begin([{ kind: 'poll', group, records }])
  if (rng.chance(0.01)) await pause(rng.integer(400))
  history.end(operation, { outcome: 'ok' })
  reading?.finished.push({ offset: batch.lastOffset + 1, atMs: nowMs() })
}

try {
  await subscribed(() => consumer.subscribe(topics.map(topic => topic.name)), ended.signal)
  const committing = byHand ? commitNowAndThen() : Promise.resolve()
  for await (const batch of consumer.batches({ signal: ended.signal })) await take(batch)
  await committing
  if (byHand) await commit([...readings.keys()])
  await consumer.close().catch((error: unknown) => {
    // Its last commit, or its leave, may find nobody: then the group notices by itself.
    if (!(error instanceof MillraceError && (error.retriable || error.code === 'FENCED_MEMBER'))) throw error
  })
  process.exit(0)
} catch (error) {
  process.stderr.write(`${name}: ${(error as Error).stack ?? String(error)}\n`)
  process.exit(1)
}
