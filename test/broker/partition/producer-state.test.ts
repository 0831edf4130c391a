import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeProducers, encodeProducers } from '../../../broker/partition/producer-snapshot.ts'
import { ProducerStates, lastSequenceOf, sequenceAfter } from '../../../broker/partition/producer-state.ts'
import * as limits from '../../../broker/limits.ts'
import type { BatchHeader } from '../../../wire/record-batch.ts'

function header (producerId: number, producerEpoch: number, baseSequence: number, recordsCount: number,
  baseOffset = 0): BatchHeader {
  return {
    position: 0,
    sizeBytes: 100,
    baseOffset,
    lastOffset: baseOffset + recordsCount - 1,
    leaderEpoch: 0,
    attributes: 0,
    baseTimestamp: 0,
    maxTimestamp: 0,
    producerId,
    producerEpoch,
    baseSequence,
    recordsCount
  }
}

/** Appends batches of `count` records one after the other, if they are next in order. */
function append (states: ProducerStates, offset: number, ...args: [number, number, number, number]): number {
  const made = header(...args, offset)
  expect(states.check(made)).toBe('next')
  states.update(made, offset, 0)
  return offset + made.recordsCount
}

describe('sequences', () => {
  test('wrap from 2^31 - 1 to 0', () => {
    expect(lastSequenceOf(2 ** 31 - 2, 3)).toBe(0)
    expect(sequenceAfter(2 ** 31 - 1)).toBe(0)
    const states = new ProducerStates()
    append(states, 0, 1, 0, 2 ** 31 - 2, 3)
    expect(states.check(header(1, 0, 1, 1))).toBe('next')
  })

  test('no state: anything is accepted; then only what follows', () => {
    const states = new ProducerStates()
    let offset = append(states, 0, 1, 0, 77, 2)
    expect(states.check(header(1, 0, 80, 1))).toBe('out-of-order')
    expect(states.check(header(1, 0, 78, 1))).toBe('out-of-order')
    offset = append(states, offset, 1, 0, 79, 1)
    expect(states.check(header(1, 1, 80, 1))).toBe('out-of-order')
    append(states, offset, 1, 1, 0, 1)
    expect(states.check(header(1, 0, 80, 1))).toBe('old-epoch')
  })

  test('a repeat is one of the last five, exactly', () => {
    const states = new ProducerStates()
    let offset = 0
    for (let n = 0; n < 7; n++) offset = append(states, offset, 1, 0, n * 2, 2)
    expect(states.check(header(1, 0, 4, 2))).toMatchObject({ baseOffset: 4, lastOffset: 5 })
    expect(states.check(header(1, 0, 12, 2))).toMatchObject({ baseOffset: 12 })
    expect(states.check(header(1, 0, 12, 1))).toBe('out-of-order')
    expect(states.check(header(1, 0, 2, 2))).toBe('out-of-order')
  })
})

describe('bounds', () => {
  test('the least recently used producer goes first', () => {
    const states = new ProducerStates()
    for (let id = 0; id < limits.producersPerPartitionMax; id++) states.update(header(id, 0, 0, 1, id), id, 0)
    states.update(header(0, 0, 1, 1), limits.producersPerPartitionMax, 0)
    states.update(header(99_999_999, 0, 0, 1), limits.producersPerPartitionMax + 1, 0)
    expect(states.size).toBe(limits.producersPerPartitionMax)
    expect(states.get(0)).toBeDefined()
    expect(states.get(1)).toBeUndefined()
  })

  test('silent producers are forgotten after a day', () => {
    const states = new ProducerStates()
    states.update(header(1, 0, 0, 1), 0, 0)
    states.update(header(2, 0, 0, 1), 1, 1_000)
    states.expire(limits.producerExpiryMs)
    expect(states.get(1)).toBeUndefined()
    expect(states.get(2)).toBeDefined()
  })
})

/** What decides about the batches that can still come, for each producer. */
function essence (states: ProducerStates): unknown {
  return [...states.entries()].map(([id, producer]) => [id, producer.epoch, producer.lastSequence]).sort()
}

// Producers with five batches under way at most: what lies above the cut is unanswered.
const history = fc.record({
  batches: fc.array(fc.record({ producer: fc.integer({ min: 1, max: 3 }), records: fc.integer({ min: 1, max: 3 }) }),
    { maxLength: 40 }),
  cut: fc.nat()
})

function headersOf (batches: readonly { producer: number, records: number }[]): BatchHeader[] {
  const sequences = new Map<number, number>()
  let offset = 0
  return batches.map(({ producer, records }) => {
    const sequence = sequences.get(producer) ?? 0
    sequences.set(producer, sequence + records)
    const made = header(producer, 0, sequence, records, offset)
    offset += records
    return made
  })
}

test('truncated state is the state of the truncated log', () => {
  fc.assert(fc.property(history, ({ batches, cut }) => {
    const headers = headersOf(batches)
    // No producer has more than five batches above the cut.
    let keep = headers.length === 0 ? 0 : cut % (headers.length + 1)
    for (const id of [1, 2, 3]) {
      const own = headers.flatMap((made, index) => made.producerId === id ? [index] : [])
      if (own.length > 5) keep = Math.max(keep, own[own.length - 6]! + 1)
    }
    const offset = headers[keep]?.baseOffset ?? Infinity
    const truncated = new ProducerStates()
    for (const made of headers) truncated.update(made, made.baseOffset, 0)
    truncated.truncate(offset)
    const rebuilt = new ProducerStates()
    for (const made of headers.slice(0, keep)) rebuilt.update(made, made.baseOffset, 0)
    expect(essence(truncated)).toEqual(essence(rebuilt))
    // Every repeat that can still come is recognised: the last five that were sent, if they are there.
    for (const made of headers.slice(0, keep)) {
      const later = headers.filter(other => other.producerId === made.producerId && other.baseOffset > made.baseOffset)
      if (later.length < 5) expect(truncated.check(made)).toEqual(rebuilt.check(made))
    }
  }))
})

test('a snapshot with the log after it is the state, even when it was written later than its offset', () => {
  fc.assert(fc.property(history, ({ batches, cut }) => {
    const headers = headersOf(batches)
    const at = headers.length === 0 ? 0 : cut % (headers.length + 1)
    const whole = new ProducerStates()
    for (const made of headers) whole.update(made, made.baseOffset, 0)
    // The snapshot says offset `at`, but knows of up to five batches more.
    const late = new ProducerStates()
    for (const made of headers.slice(0, at + 5)) late.update(made, made.baseOffset, 0)
    const loaded = new ProducerStates()
    expect(decodeProducers(encodeProducers(late), loaded, 0)).toBe(true)
    for (const made of headers.slice(at)) loaded.update(made, made.baseOffset, 0)
    expect(essence(loaded)).toEqual(essence(whole))
  }))
})

test('golden snapshot, and none that is broken', () => {
  const states = new ProducerStates()
  states.update(header(7, 3, 10, 2), 5, 0)
  const bytes = encodeProducers(states)
  expect(Buffer.from(bytes.subarray(4)).toString('hex')).toBe(
    '0100000001' + '0000000000000007' + '0003' + '0000000b' + '00' + '01' +
    '0003' + '0000000a' + '0000000b' + '0000000000000005' + '0000000000000006')
  for (let length = 0; length < bytes.length; length++) {
    expect(decodeProducers(bytes.subarray(0, length), new ProducerStates(), 0)).toBe(false)
  }
  for (let position = 0; position < bytes.length; position++) {
    const broken = Uint8Array.from(bytes)
    broken[position]! ^= 1
    expect(decodeProducers(broken, states, 0)).toBe(false)
    expect(states.size).toBe(0)
  }
})
