// A pool of workers: as many of them as you like, whatever the number of partitions, share the orders one by one. An
// order that fails is tried again, by whichever worker has room; one that fails three times, or that nobody can ever
// handle, goes to orders.dead with headers that say why. What a worker has that dies is another's three seconds later.
//
//   node_modules/.bin/node examples/queue-workers.ts [broker host:port] [workers]
import { Millrace, serdes } from '../client/index.ts'
import type { Order } from './order.ts'
import { orderOf } from './order.ts'

const [bootstrap = '127.0.0.1:9090', workers = '1'] = process.argv.slice(2)
const client = new Millrace({ bootstrap })
const stop = new AbortController()
process.once('SIGTERM', () => { stop.abort() })
process.once('SIGINT', () => { stop.abort() })

async function work (worker: number): Promise<void> {
  await using queue = client.queue({
    group: 'post-office',
    key: serdes.string,
    value: serdes.json(orderOf),
    deadLetterTopic: 'orders.dead',
    maxDeliveries: 3,
    retryDelayMs: 500
  })
  await queue.subscribe(['orders'])
  console.log(`worker ${worker} waits for orders`)
  // Each order is acknowledged when its promise resolves; ends when the signal aborts, after what was begun.
  await queue.run(async record => {
    const { value: order, deliveries } = record
    if (order === null || order.cents < 0) {
      await record.reject('nobody pays less than nothing')
      return
    }
    await ship(order)
    console.log(JSON.stringify({ worker, deliveries, ...order }))
  }, { concurrency: 2, signal: stop.signal })
}

/** What takes its time, and does not always succeed. */
async function ship ({ item }: Order): Promise<void> {
  await new Promise(resolve => { setTimeout(resolve, 20) })
  if (item === 'anvil') throw new Error('too heavy')
}

await Promise.all(Array.from({ length: Number(workers) }, (_, index) => work(index)))
await client.close()
