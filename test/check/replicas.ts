// Equality of the replicas' committed prefixes, byte for byte.
import type { Anomaly } from './anomaly.ts'
import type { Key } from './history.ts'

export interface ReplicaBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  /** The batch as stored. */
  readonly bytes: Uint8Array
}

export interface ReplicaContents {
  /** 'broker 2' */
  readonly name: string
  readonly key: Key
  readonly logStart: number
  /** Committed as far as this replica may be asked about: the partition's, or less. */
  readonly highWatermark: number
  readonly batches: readonly ReplicaBatch[]
}

/** Compares every replica with the first one of its partition, over the offsets that both hold. */
export function findDivergedReplicas (replicas: readonly ReplicaContents[]): Anomaly[] {
  const found: Anomaly[] = []
  const firsts = new Map<Key, ReplicaContents>()
  for (const replica of replicas) {
    const first = firsts.get(replica.key)
    if (first === undefined) firsts.set(replica.key, replica)
    else {
      const message = difference(first, replica)
      if (message !== undefined) found.push({ kind: 'diverged replicas', key: replica.key, message })
    }
  }
  return found
}

function difference (a: ReplicaContents, b: ReplicaContents): string | undefined {
  const from = Math.max(a.logStart, b.logStart)
  const to = Math.min(a.highWatermark, b.highWatermark)
  const [inA, inB] = [a, b].map((replica) =>
    replica.batches.filter((batch) => batch.lastOffset >= from && batch.baseOffset < to))
  const pair = `${a.name} and ${b.name} differ`
  for (let i = 0; i < Math.max(inA!.length, inB!.length); i++) {
    const [x, y] = [inA![i], inB![i]]
    if (x === undefined || y === undefined) {
      const there = (x ?? y)!
      return `${pair}: ${x === undefined ? a.name : b.name} lacks offsets ${there.baseOffset}-${there.lastOffset}, ` +
        `committed is ${to}`
    }
    if (x.baseOffset !== y.baseOffset || Buffer.compare(x.bytes, y.bytes) !== 0) {
      return `${pair} at offset ${Math.min(x.baseOffset, y.baseOffset)}`
    }
  }
  return undefined
}
