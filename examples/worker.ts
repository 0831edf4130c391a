// A worker: as many of them as you like share the partitions of a topic. Eight orders at a time, those of one
// customer one after the other. What cannot be read goes to another topic instead of stopping the rest.
//
//   node_modules/.bin/node examples/worker.ts [broker host:port]
import { Millrace, serdes } from '../client/index.ts'
import { orderOf } from './order.ts'

const client = new Millrace({ bootstrap: process.argv[2] ?? '127.0.0.1:9090' })
const letters = client.producer()
const consumer = client.consumer({
  group: 'kitchen',
  key: serdes.string,
  value: serdes.json(orderOf),
  onUndecodable: async error => {
    const { topic, partition, offset, record } = error
    await letters.send({
      topic: 'orders.dead',
      key: record.key,
      value: record.value,
      headers: { from: `${topic}/${partition}:${offset}`, why: error.message }
    })
  }
})

const stop = new AbortController()
process.once('SIGTERM', () => { stop.abort() })
process.once('SIGINT', () => { stop.abort() })

await consumer.subscribe(['orders'], { signal: stop.signal })
console.log('waiting for orders')
// Ends when the signal aborts, after what was begun. Orders that were finished are committed every second, so that
// after a crash some of the last second come again: an order is known by its id.
await consumer.run(async ({ partition, offset, value: order }) => {
  if (order === null) return
  await prepare()
  console.log(JSON.stringify({ partition, offset, ...order }))
}, { concurrency: 8, orderedBy: 'key', signal: stop.signal })
// The last commit, and the group knows at once.
await client.close()

/** What takes its time. */
function prepare (): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, 2) })
}
