// Reads the dead-letter topics of the queue groups once, from beginning to end, in a process of its own.
import { Millrace } from '../../../client/index.ts'
import { optionsOf } from './client-options.ts'
import { workQueues } from './groups.ts'
import { HistoryFile } from './history-file.ts'

const options = optionsOf(process.argv[2])
const history = new HistoryFile(options.historyFile, options.name)
const decoder = new TextDecoder()
const textOf = (bytes: Uint8Array | null | undefined): string => decoder.decode(bytes ?? undefined)

const consumer = new Millrace({ bootstrap: options.bootstrap }).consumer()
await consumer.assign(workQueues.map(({ deadLetterTopic }) =>
  ({ topic: deadLetterTopic, partitions: 'all', from: 'start' })))
const left = new Map((await consumer.endOffsets()).filter(({ offset }) => offset > 0)
  .map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset]))
if (left.size > 0) {
  for await (const { topic, partition, offset, value, headers } of consumer) {
    const header = (name: string): string =>
      textOf(headers.find(({ key }) => key === `millrace.dead-letter.${name}`)?.value)
    history.happened({
      kind: 'dead letter', group: header('group'), key: `${header('topic')}-${header('partition')}`,
      offset: Number(header('offset')), value: textOf(value).split(' ')[0]!,
      deliveries: Number(header('deliveries')), cause: header('cause')
    })
    const key = `${topic}-${partition}`
    if (offset + 1 >= (left.get(key) ?? Infinity)) left.delete(key)
    if (left.size === 0) break
  }
}
await consumer.close()
process.exit(0)
