// What somebody writes who has just installed the package. Prints one line of JSON.
import { Millrace } from 'millrace'

const client = new Millrace({ bootstrap: process.argv[2] })
const producer = client.producer({ compression: process.argv[4] })
const sent = await Promise.all(Array.from({ length: 500 }, (_, i) =>
  producer.send({ topic: process.argv[3], key: `k${i % 7}`, value: `v${i}`.padEnd(300, '.') })))
const seen = new Set()
const consumer = client.consumer()
await consumer.assign([{ topic: process.argv[3], partitions: 'all' }])
const wanted = new Set(sent.map(({ partition, offset }) => `${partition}/${offset}`))
for await (const { partition, offset } of consumer) {
  seen.add(`${partition}/${offset}`)
  wanted.delete(`${partition}/${offset}`)
  if (wanted.size === 0) break
}
await client.close()
const missing = sent.filter(({ partition, offset }) => !seen.has(`${partition}/${offset}`)).length
process.stdout.write(`${JSON.stringify({ node: process.version, sent: sent.length, missing })}\n`)
