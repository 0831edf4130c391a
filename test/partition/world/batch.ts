// Batches of one record, or of as many as `value` has parts between '+'.
import { BatchBuilder } from '../../../wire/batch-builder.ts'

export interface ProducedAs {
  readonly id: number
  readonly epoch: number
  readonly sequence: number
}

export function valueBatch (value: string, producer?: ProducedAs, timestamp = 1_800_000_000_000): Uint8Array {
  const builder = new BatchBuilder(128)
  for (const part of value.split('+')) builder.append(timestamp, null, new TextEncoder().encode(part))
  return producer === undefined ? builder.finish() : builder.finish(producer.id, producer.epoch, producer.sequence)
}
