// A worker of a queue group, in a process of its own: it does what the record says. Arguments: broker, topic, group and
// dead-letter topic.
import { Millrace, serdes } from '../../client/index.ts'

const [bootstrap = '', topic = '', group = '', deadLetterTopic = ''] = process.argv.slice(2)
const client = new Millrace({ bootstrap })
await using queue = client.queue({
  group, deadLetterTopic, value: serdes.string, maxDeliveries: 5, retryDelayMs: 100, maxInFlight: 8
})
await queue.subscribe([topic])
await queue.run(async ({ value, deliveries }) => {
  if (value === 'spoiled') throw new Error('nobody can eat this')
  // The first worker that gets it never comes back from it.
  if (value === 'bottomless' && deliveries === 1) await new Promise(() => {})
}, { concurrency: 8 })
