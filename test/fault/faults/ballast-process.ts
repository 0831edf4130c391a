// A producing client in a process of its own that makes some partitions large, and ends: so much that what copies
// them later takes its time.
import { Millrace } from '../../../client/index.ts'
import { ballastRecordBytes, optionsOf } from './client-options.ts'
import { HistoryFile } from './history-file.ts'

/** Sent at once. */
const togetherMax = 16
const padding = 'x'.repeat(ballastRecordBytes)

const { name, topics, bootstrap, historyFile } = optionsOf(process.argv[2])
const history = new HistoryFile(historyFile, name)
const client = new Millrace({ bootstrap })
const producer = client.producer()
let sent = 0

async function send (topic: string, partition: number): Promise<void> {
  const value = `${name}-${++sent}`
  const operation = history.begin([{ kind: 'send', key: `${topic}-${partition}`, value, batch: sent }])
  const { offset } = await producer.send({ topic, partition, value: `${value} ${padding}` })
  history.end(operation, { outcome: 'ok', offset })
}

for (const { name: topic, partitions, ballastBytes = 0 } of topics) {
  const wanted = Array.from({ length: partitions }, (_, partition) => partition)
    .flatMap(partition => Array.from({ length: Math.ceil(ballastBytes / ballastRecordBytes) }, () => partition))
  for (let from = 0; from < wanted.length; from += togetherMax) {
    await Promise.all(wanted.slice(from, from + togetherMax).map(partition => send(topic, partition)))
  }
}
await producer.close()
await client.close()
process.exit(0)
