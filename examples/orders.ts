// Produces a few orders and reads them back: node_modules/.bin/node examples/orders.ts [host:port]
import { Millrace } from '../client/index.ts'

await using client = new Millrace({ bootstrap: process.argv[2] ?? '127.0.0.1:9090' })

const producer = client.producer()
for (const item of ['one coffee', 'two teas', 'the bill']) {
  // Resolves when the record is on disk on every replica in sync.
  const { partition, offset } = await producer.send({ topic: 'orders', key: 'customer-7', value: item })
  console.log(`sent     ${partition}:${offset} ${item}`)
}

const consumer = client.consumer({ group: 'kitchen' })
await consumer.subscribe(['orders'])
for await (const record of consumer) {
  const item = new TextDecoder().decode(record.value ?? undefined)
  console.log(`received ${record.partition}:${record.offset} ${item}`)
  if (item !== 'the bill') continue
  // A record counts as finished when the next one is asked for; the last one says so itself.
  await consumer.commit()
  break
}
