// ListOffsets: earliest, latest, or by time, answered by the leader of each partition.
import * as limits from '../limits.ts'
import { WireError } from '../../wire/errors.ts'
import type { ListOffsetsRequest_Query, ListOffsetsResponse_Result, Sent } from '../../wire/messages.ts'
import type { Services } from '../../wire/ports.ts'
import type { ListedOffset, Partitions } from '../partition/contract.ts'

export function listOffsetsServices (partitions: Partitions): Services {
  return {
    unary: {
      ListOffsets: async ({ queries }) => {
        if (queries.length > limits.offsetsPerRequestMax) {
          throw new WireError('INVALID_REQUEST',
            `${queries.length} queries; the limit is ${limits.offsetsPerRequestMax}`)
        }
        return { results: await Promise.all(queries.map(query => answer(partitions, query))) }
      }
    }
  }
}

async function answer (partitions: Partitions,
  query: ListOffsetsRequest_Query): Promise<Sent<ListOffsetsResponse_Result>> {
  const { topic, partition } = query
  try {
    return { topic, partition, ...await find(partitions, query) }
  } catch (error) {
    if (error instanceof WireError) return { topic, partition, error: error.toDetail() }
    throw error
  }
}

async function find (partitions: Partitions, query: ListOffsetsRequest_Query): Promise<ListedOffset> {
  const ref = { topic: query.topic, topicId: '', partition: query.partition }
  switch (query.target) {
    case 'OFFSET_TARGET_EARLIEST': return partitions.earliest(ref)
    case 'OFFSET_TARGET_LATEST': return partitions.latest(ref)
    case 'OFFSET_TARGET_TIMESTAMP': return await partitions.atTime(ref, query.timestamp)
    default: throw new WireError('INVALID_REQUEST', 'a query without a target')
  }
}
