import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { BatchBuilder, encodeHeaders } from '../../wire/batch-builder.ts'
import { decodeRecords } from '../../wire/batch-reader.ts'
import { utf8, writeInt16, writeInt32, writeInt64 } from '../../wire/bytes.ts'
import { WireError } from '../../wire/errors.ts'
import {
  BATCH_HEADER_BYTES, batches, parseBatchHeader, stampBaseOffset, stampCrc, stampLeaderEpoch, stampProducer,
  validateBatch
} from '../../wire/record-batch.ts'

const limits = { batchBytesMax: 1 << 20, recordsMax: 10_000, timestampMax: 2_000_000_000_000 }
const golden = '0000000000000000000000470000000002e26d56390000000000010000018bcfe568000000018bcfe568' +
  '05000000000000000700030000000a000000021c000000046b3104763102026802780c000a02010100'

function goldenBatch (): Uint8Array {
  return new Uint8Array(Buffer.from(golden, 'hex'))
}

function codeOf (run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
  return 'none'
}

describe('golden batch', () => {
  it('is what the builder writes', () => {
    const builder = new BatchBuilder(16)
    builder.append(1_700_000_000_000, utf8('k1'), utf8('v1'), encodeHeaders([{ key: 'h', value: utf8('x') }]))
    builder.append(1_700_000_000_005, null, null)
    expect(builder.sizeBytes).toBe(83)
    expect(Buffer.from(builder.finish(7, 3, 10)).toString('hex')).toBe(golden)
  })

  it('is read field by field', () => {
    const header = validateBatch(goldenBatch(), limits)
    expect(header).toEqual({
      position: 0,
      sizeBytes: 83,
      baseOffset: 0,
      lastOffset: 1,
      leaderEpoch: 0,
      attributes: 0,
      baseTimestamp: 1_700_000_000_000,
      maxTimestamp: 1_700_000_000_005,
      producerId: 7,
      producerEpoch: 3,
      baseSequence: 10,
      recordsCount: 2
    })
    expect(decodeRecords(goldenBatch(), header).map(record => ({
      ...record,
      key: record.key && Buffer.from(record.key).toString(),
      value: record.value && Buffer.from(record.value).toString(),
      headers: record.headers.map(({ key, value }) => [key, Buffer.from(value ?? []).toString()])
    }))).toEqual([
      { offset: 0, timestamp: 1_700_000_000_000, key: 'k1', value: 'v1', headers: [['h', 'x']] },
      { offset: 1, timestamp: 1_700_000_000_005, key: null, value: null, headers: [] }
    ])
  })

  it('stays valid when the broker stamps offset and epoch', () => {
    const bytes = goldenBatch()
    stampBaseOffset(bytes, 2 ** 40 + 3)
    stampLeaderEpoch(bytes, 9)
    const header = validateBatch(bytes, limits)
    expect([header.baseOffset, header.lastOffset, header.leaderEpoch]).toEqual([2 ** 40 + 3, 2 ** 40 + 4, 9])
    expect(decodeRecords(bytes, header).map(record => record.offset)).toEqual([2 ** 40 + 3, 2 ** 40 + 4])
  })

  it('stays valid when its producer is changed', () => {
    const bytes = goldenBatch()
    stampProducer(bytes, 2 ** 53 - 1, 5, 2 ** 31 - 1)
    const header = validateBatch(bytes, limits)
    expect([header.producerId, header.producerEpoch, header.baseSequence])
      .toEqual([2 ** 53 - 1, 5, 2 ** 31 - 1])
  })
})

describe('validateBatch refuses', () => {
  /** Changes the golden batch; the CRC is made anew unless `keepCrc`. */
  function changed (change: (bytes: Uint8Array) => void, keepCrc = false): string {
    const bytes = goldenBatch()
    change(bytes)
    if (!keepCrc) stampCrc(bytes)
    return codeOf(() => validateBatch(bytes, limits))
  }

  it.each<[string, string, (bytes: Uint8Array) => void]>([
    ['another magic', 'UNSUPPORTED_BATCH', bytes => { bytes[16] = 1 }],
    ['a codec that does not exist', 'UNSUPPORTED_BATCH', bytes => { writeInt16(bytes, 21, 5) }],
    ['append time', 'UNSUPPORTED_BATCH', bytes => { writeInt16(bytes, 21, 0x08) }],
    ['a transactional batch', 'UNSUPPORTED_BATCH', bytes => { writeInt16(bytes, 21, 0x10) }],
    ['a control batch', 'UNSUPPORTED_BATCH', bytes => { writeInt16(bytes, 21, 0x20) }],
    ['a delete horizon', 'UNSUPPORTED_BATCH', bytes => { writeInt16(bytes, 21, 0x40) }],
    ['no records', 'CORRUPT_BATCH', bytes => { writeInt32(bytes, 57, 0) }],
    ['a negative count', 'CORRUPT_BATCH', bytes => { writeInt32(bytes, 57, -2) }],
    ['a count that is not the last delta + 1', 'CORRUPT_BATCH', bytes => { writeInt32(bytes, 57, 3) }],
    ['a negative last delta', 'CORRUPT_BATCH', bytes => { writeInt32(bytes, 23, -1) }],
    ['more records than its bytes can hold', 'CORRUPT_BATCH', bytes => {
      writeInt32(bytes, 23, 3)
      writeInt32(bytes, 57, 4)
    }],
    ['more records than the limit', 'RECORD_TOO_LARGE', bytes => {
      writeInt32(bytes, 23, 10_000)
      writeInt32(bytes, 57, 10_001)
    }],
    ['an offset beyond 2^53', 'CORRUPT_BATCH', bytes => { writeInt64(bytes, 0, 2 ** 53) }],
    ['a negative offset', 'CORRUPT_BATCH', bytes => { writeInt64(bytes, 0, -1) }],
    ['a producer id beyond 2^53', 'CORRUPT_BATCH', bytes => { writeInt64(bytes, 43, 2 ** 60) }],
    ['a producer id without a sequence', 'CORRUPT_BATCH', bytes => { writeInt32(bytes, 53, -1) }],
    ['a sequence without a producer id', 'CORRUPT_BATCH', bytes => { writeInt64(bytes, 43, -1) }],
    ['a negative timestamp', 'INVALID_TIMESTAMP', bytes => { writeInt64(bytes, 27, -1) }],
    ['a timestamp too far ahead', 'INVALID_TIMESTAMP', bytes => { writeInt64(bytes, 35, 2_000_000_000_001) }],
    ['a length that is too short', 'CORRUPT_BATCH', bytes => { writeInt32(bytes, 8, 70) }],
    ['a length that is too long', 'CORRUPT_BATCH', bytes => { writeInt32(bytes, 8, 72) }],
    ['a negative length', 'CORRUPT_BATCH', bytes => { writeInt32(bytes, 8, -5) }],
    ['a record with a negative length', 'CORRUPT_BATCH', bytes => { bytes[61] = 0x7f }],
    ['a record longer than the batch', 'CORRUPT_BATCH', bytes => { bytes[61] = 0x7e }],
    ['a record shorter than any', 'CORRUPT_BATCH', bytes => { bytes[61] = 0x02 }],
    ['a length that does not end', 'CORRUPT_BATCH', bytes => { bytes.fill(0xff, 61) }],
    ['bytes after the last record', 'CORRUPT_BATCH', bytes => {
      writeInt32(bytes, 23, 0)
      writeInt32(bytes, 57, 1)
    }]
  ])('%s', (_name, code, change) => {
    expect(changed(change)).toBe(code)
  })

  it('any flipped bit behind the CRC', () => {
    for (let bit = 17 * 8; bit < 83 * 8; bit++) {
      expect(changed(bytes => { bytes[bit >> 3]! ^= 1 << (bit & 7) }, true)).not.toBe('none')
    }
  })

  it('a batch over the limit, two batches, a batch that is cut off', () => {
    const two = Buffer.concat([goldenBatch(), goldenBatch()])
    expect(codeOf(() => validateBatch(two, limits))).toBe('CORRUPT_BATCH')
    expect(codeOf(() => validateBatch(goldenBatch(), { ...limits, batchBytesMax: 82 }))).toBe('RECORD_TOO_LARGE')
    expect(codeOf(() => validateBatch(goldenBatch(), { ...limits, batchBytesMax: 83 }))).toBe('none')
    for (let length = 0; length < 83; length++) {
      expect(codeOf(() => validateBatch(goldenBatch().subarray(0, length), limits))).toBe('CORRUPT_BATCH')
    }
  })

  it('nothing of a batch without a producer', () => {
    const bytes = goldenBatch()
    stampProducer(bytes, -1, -1, -1)
    expect(validateBatch(bytes, limits).producerId).toBe(-1)
  })
})

describe('batches', () => {
  it('walks over concatenated batches', () => {
    const joined = new Uint8Array(Buffer.concat([goldenBatch(), goldenBatch(), goldenBatch()]))
    stampBaseOffset(joined, 2, 83)
    stampBaseOffset(joined, 4, 166)
    const walked = [...batches(joined)]
    expect(walked.map(header => [header.position, header.baseOffset, header.lastOffset]))
      .toEqual([[0, 0, 1], [83, 2, 3], [166, 4, 5]])
    expect(walked.flatMap(header => decodeRecords(joined, header)).map(record => record.offset))
      .toEqual([0, 1, 2, 3, 4, 5])
    expect(codeOf(() => [...batches(joined.subarray(0, 248))])).toBe('CORRUPT_BATCH')
    expect([...batches(new Uint8Array(0))]).toEqual([])
  })
})

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null })
const record = fc.record({
  timestamp: fc.oneof(fc.integer({ min: 0, max: 2_000_000_000_000 }), fc.integer({ min: 0, max: 2 ** 53 - 1 })),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 10 }), value: bytesOrNull }),
    { maxLength: 3 })
})

describe('properties', () => {
  it('what was built is read back', () => {
    fc.assert(fc.property(fc.array(record, { minLength: 1, maxLength: 40 }), fc.nat(5000), (records, capacity) => {
      const builder = new BatchBuilder(capacity)
      for (const { timestamp, key, value, headers } of records) {
        const encoded = encodeHeaders(headers)
        const bound = builder.sizeWith(key?.length ?? 0, value?.length ?? 0, encoded.length)
        builder.append(timestamp, key, value, encoded)
        expect(builder.sizeBytes).toBeLessThanOrEqual(bound)
      }
      const bytes = builder.finish(1, 0, 0)
      expect(bytes.length).toBe(builder.sizeBytes)
      const header = validateBatch(bytes, { ...limits, timestampMax: Number.MAX_SAFE_INTEGER })
      expect(header.maxTimestamp).toBe(Math.max(...records.map(each => each.timestamp)))
      expect(decodeRecords(bytes, header)).toEqual(records.map((each, offset) => ({ ...each, offset })))
    }))
  })

  it('raw bytes give nothing but WireErrors', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
      codeOf(() => validateBatch(bytes, limits))
      codeOf(() => [...batches(bytes)])
    }), { numRuns: 300 })
  })

  it('damaged records give nothing but WireErrors and stay inside the batch', () => {
    const around = 64
    fc.assert(fc.property(fc.array(record, { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }), (records, damage) => {
        const builder = new BatchBuilder(100)
        for (const each of records) {
          builder.append(each.timestamp, each.key, each.value, encodeHeaders(each.headers))
        }
        const batch = builder.finish(1, 0, 0)
        // The batch lies in the middle of a larger array, whose other bytes must never show up.
        const larger = new Uint8Array(batch.length + 2 * around).fill(0xee)
        larger.set(batch, around)
        for (const [at, value] of damage) {
          const from = BATCH_HEADER_BYTES - 4
          larger[around + from + at % (batch.length - from)] = value
        }
        codeOf(() => {
          const header = parseBatchHeader(larger, around)
          for (const each of decodeRecords(larger, header)) {
            for (const part of [each.key, each.value, ...each.headers.map(item => item.value)]) {
              if (part === null) continue
              expect(part.byteOffset).toBeGreaterThanOrEqual(around)
              expect(part.byteOffset + part.length).toBeLessThanOrEqual(around + batch.length)
            }
          }
        })
      }), { numRuns: 300 })
  })

  it('takes time in proportion to the bytes, whatever the counts say', () => {
    // Steps, not time: a reader that trusted a count would make 2^31 records of 90 bytes.
    const bytes = goldenBatch()
    writeInt32(bytes, 57, 2 ** 31 - 1)
    writeInt32(bytes, 23, 2 ** 31 - 2)
    expect(codeOf(() => decodeRecords(bytes, parseBatchHeader(bytes)))).toBe('CORRUPT_BATCH')
  })

  it('a compressed batch wants an opener', () => {
    const bytes = goldenBatch()
    writeInt16(bytes, 21, 1)
    const header = parseBatchHeader(bytes)
    expect(codeOf(() => decodeRecords(bytes, header))).toBe('UNSUPPORTED_BATCH')
    const opened = decodeRecords(bytes, header, (codec, block) => {
      expect(codec).toBe(1)
      return block.slice()
    })
    expect(opened).toHaveLength(2)
  })
})
