import { expect, test } from 'vitest'
import { SimFailure } from './failure.ts'
import { PartitionRecord, ReplicaRecord } from './records.ts'
import { ShadowLog } from './shadow-log.ts'
import type { StoredBatch } from './shadow-log.ts'

function batch (base: number, last: number, crc = 1, epoch = 1): StoredBatch {
  return { base, last, crc, epoch, size: 100 }
}

function log (...stored: StoredBatch[]): ShadowLog {
  const shadow = new ShadowLog()
  shadow.reset(stored[0]?.base ?? 0, stored)
  return shadow
}

test('finds the first offset where two logs differ', () => {
  const whole = log(batch(0, 4), batch(5, 5), batch(6, 9))
  expect(whole.difference(log(batch(0, 4), batch(5, 5), batch(6, 9)), 0, 10)).toBeUndefined()
  expect(whole.difference(log(batch(0, 4), batch(5, 5, 2)), 0, 10)).toBe(5)
  expect(whole.difference(log(batch(0, 4), batch(5, 5, 1, 2)), 0, 10)).toBe(5)
  expect(whole.difference(log(batch(0, 4), batch(5, 5)), 0, 10)).toBe(6)
  expect(whole.difference(log(batch(0, 4), batch(5, 5)), 0, 6)).toBeUndefined()
  expect(whole.difference(log(batch(0, 4), batch(5, 5, 2)), 6, 6)).toBeUndefined()
  // What retention has taken from the front of one of them is no difference.
  expect(whole.difference(log(batch(5, 5), batch(6, 9)), 0, 10)).toBeUndefined()
  expect(log(batch(5, 5)).difference(log(batch(5, 5, 2)), 0, 10)).toBe(5)
})

test('truncates whole batches', () => {
  const shadow = log(batch(0, 4), batch(5, 5), batch(6, 9))
  shadow.truncate(6)
  expect(shadow.end).toBe(6)
  shadow.append([batch(6, 6, 3)])
  expect(shadow.range(5, 7).map(({ crc }) => crc)).toEqual([1, 3])
})

function replica (highWatermark: number, ...stored: StoredBatch[]): ReplicaRecord {
  const record = new ReplicaRecord('r', 'v')
  record.appended(stored)
  record.highWatermark = highWatermark
  return record
}

function broken (run: () => void): string {
  try {
    run()
  } catch (error) {
    if (error instanceof SimFailure) return error.kind
    throw error
  }
  return 'none'
}

test('what is committed stays, on every replica and on every leader', () => {
  const partition = new PartitionRecord('p')
  partition.commit(replica(6, batch(0, 4), batch(5, 5)), 6)
  expect(partition.end).toBe(6)
  expect(broken(() => { partition.verify(replica(5, batch(0, 4))) })).toBe('none')
  expect(broken(() => { partition.verify(replica(5, batch(0, 4), batch(5, 5, 9))) })).toBe('none')
  expect(broken(() => { partition.verify(replica(6, batch(0, 4), batch(5, 5, 9))) })).toBe('committed prefix')
  expect(broken(() => { partition.verify(replica(7, batch(0, 4))) })).toBe('high watermark')
  const leader = replica(0, batch(0, 4))
  leader.mustHoldAll = true
  expect(broken(() => { partition.verify(leader) })).toBe('leader completeness')
  const other = replica(0, batch(0, 4), batch(5, 5, 9))
  other.mustHoldAll = true
  expect(broken(() => { partition.verify(other) })).toBe('leader completeness')
  expect(broken(() => { partition.commit(replica(9, batch(0, 4), batch(7, 8)), 9) })).toBe('committed prefix')
})
