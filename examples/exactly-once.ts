// Each order counts exactly once, whatever dies when: the place of reading is stored in the same transaction as the
// result. The group shares the partitions; where to go on is the database's word, not the group's.
//
//   node_modules/.bin/node examples/exactly-once.ts [broker host:port] [file of the database]
//
// node:sqlite comes with Node 22.13 and later. Any database with transactions serves as well.
import { DatabaseSync } from 'node:sqlite'
import { Millrace, serdes } from '../client/index.ts'
import { orderOf } from './order.ts'

const [bootstrap = '127.0.0.1:9090', file = 'totals.db'] = process.argv.slice(2)

const database = new DatabaseSync(file, { timeout: 5_000 })
database.exec(`
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS places (part INTEGER PRIMARY KEY, next INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS totals (customer TEXT PRIMARY KEY, orders INTEGER NOT NULL, cents INTEGER NOT NULL)`)
const placeOf = database.prepare('SELECT next FROM places WHERE part = ?')
const begin = database.prepare('INSERT OR IGNORE INTO places VALUES (?, 0)')
const advance = database.prepare('UPDATE places SET next = ? WHERE part = ?')
const add = database.prepare(`INSERT INTO totals VALUES (?, 1, ?)
  ON CONFLICT DO UPDATE SET orders = orders + 1, cents = cents + excluded.cents`)

const client = new Millrace({ bootstrap })
const consumer = client.consumer({
  group: 'totals',
  value: serdes.json(orderOf),
  autoCommitIntervalMs: 0,
  onAssigned: partitions => {
    for (const each of partitions) {
      begin.run(each.partition)
      consumer.seek(each, placeOf.get(each.partition)!['next'] as number)
    }
  }
})
const stop = new AbortController()
process.once('SIGTERM', () => { stop.abort() })
await consumer.subscribe(['orders'], { signal: stop.signal })
console.log('counting')

for await (const batch of consumer.batches({ signal: stop.signal })) {
  const { partition, lastOffset } = batch
  database.exec('BEGIN IMMEDIATE')
  // A process that had the partition before, or has it by now, may have counted some of it or all.
  const { next } = placeOf.get(partition) as { next: number }
  if (next <= lastOffset) {
    for (const { offset, value } of batch) {
      if (offset >= next && value !== null) add.run(value.customer, value.cents)
    }
    advance.run(lastOffset + 1, partition)
  }
  database.exec('COMMIT')
  console.log(`counted ${partition}:${lastOffset}`)
}
await client.close()
database.close()
