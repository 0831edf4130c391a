// The processing of one record by the application: its span, its time, how it ended.
import type { ConsumerRecord } from './consumer-options.ts'
import type { ClientPorts } from './metadata.ts'

export async function processed<R extends ConsumerRecord<unknown, unknown>, T> (ports: ClientPorts,
  group: string | undefined, record: R, handler: (record: R) => T | Promise<T>): Promise<T> {
  const { clock, tell, tracing } = ports
  const { topic, partition, offset } = record
  const begunAt = clock.now()
  const work = async (): Promise<T> => await handler(record)
  let error: unknown
  try {
    return await (tracing === undefined ? work() : tracing.process(record, group, work))
  } catch (failure) {
    error = failure ?? new Error('the handler failed without an error')
    throw failure
  } finally {
    tell('record.processed', { topic, partition, offset, group, durationMs: clock.now() - begunAt, error })
  }
}
