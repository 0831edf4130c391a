// What a client process of the workload is told: one argument, JSON.

export interface WorkTopic {
  readonly name: string
  readonly partitions: number
  /** Written to each partition before everything else, in records of `ballastRecordBytes`. */
  readonly ballastBytes?: number
}

/** Of every partition: 'orders-3'. */
export function keysOf (topics: readonly WorkTopic[]): string[] {
  return topics.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => `${name}-${partition}`))
}

export const ballastRecordBytes = 64 * 1024

export interface ClientOptions {
  readonly role: 'producer' | 'ballast' | 'consumer' | 'member' | 'worker' | 'drain' | 'dead letters'
  /** Unique in the run: 'p1.2' is the second life of p1. */
  readonly name: string
  readonly bootstrap: readonly string[]
  readonly topics: readonly WorkTopic[]
  readonly historyFile: string
  readonly seed: number
  /** Consumers: commit under this group; a drain has none. Members and workers: belong to it. */
  readonly group?: string
  /** Producers: records have keys, which workers keep in order. */
  readonly keyed?: boolean
  /** Producers: between two rounds. */
  readonly everyMs?: number
}

export function optionsOf (argument: string | undefined): ClientOptions {
  if (argument === undefined) throw new Error('a client process takes its options as JSON')
  return JSON.parse(argument) as ClientOptions
}
