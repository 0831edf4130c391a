import { describe, expect, it } from 'vitest'
import { decodeSnapshot, encodeSnapshot } from '../../../broker/log/snapshot-file.ts'
import { encodeCheckpoint } from '../../../broker/log/checkpoint-file.ts'
import { EntryWriter, decodeEntries, replicaKey } from '../../../broker/log/entry.ts'
import { FrameBuilder, readFrameHeader } from '../../../broker/log/frame.ts'

const key = replicaKey('00112233445566ff', 7)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function written (write: (entries: EntryWriter) => void): Uint8Array {
  const entries = new EntryWriter(8)
  write(entries)
  return entries.bytes.slice()
}

// The first 17 bytes of every entry of a replica: type, length, topic id, partition.
const head = (type: string, length: string): string => `${type}${length}00112233445566ff00000007`
const replica = { topicId: '00112233445566ff', partition: 7 }

describe('entries', () => {
  it.each([
    ['batch', (e: EntryWriter) => { e.batch(key, 5, 3, 200) },
      head('01', '0000001c') + '0000000000000005' + '00000003' + '000000c8',
      { ...replica, name: 'batch', baseOffset: 5, epoch: 3, bytes: 200 }],
    ['epoch', (e: EntryWriter) => { e.epoch(key, 3, 2 ** 40) },
      head('02', '00000018') + '00000003' + '0000010000000000',
      { ...replica, name: 'epoch', epoch: 3, startOffset: 2 ** 40 }],
    ['truncate', (e: EntryWriter) => { e.offset('truncate', key, 9) }, head('03', '00000014') + '0000000000000009',
      { ...replica, name: 'truncate', offset: 9 }],
    ['reset', (e: EntryWriter) => { e.offset('reset', key, 9) }, head('04', '00000014') + '0000000000000009',
      { ...replica, name: 'reset', offset: 9 }],
    ['log start', (e: EntryWriter) => { e.offset('logStart', key, 9) }, head('05', '00000014') + '0000000000000009',
      { ...replica, name: 'logStart', offset: 9 }],
    ['high watermark', (e: EntryWriter) => { e.offset('highWatermark', key, 9) },
      head('06', '00000014') + '0000000000000009', { ...replica, name: 'highWatermark', offset: 9 }],
    ['row', (e: EntryWriter) => { e.row(key, Buffer.from('{}')) }, head('07', '0000000e') + '7b7d',
      { ...replica, name: 'row', json: '{}' }],
    ['created', (e: EntryWriter) => { e.created(key, 258, 'ab') }, head('08', '00000016') + '0000000000000102' + '6162',
      { ...replica, name: 'created', replicaGen: 258, topic: 'ab' }],
    ['removed', (e: EntryWriter) => { e.removed(key) }, head('09', '0000000c'), { ...replica, name: 'removed' }],
    ['controller epoch', (e: EntryWriter) => { e.controllerEpoch(77) }, '0a00000008' + '000000000000004d',
      { name: 'controllerEpoch', epoch: 77 }],
    ['damaged', (e: EntryWriter) => { e.damaged(key, 0, 'why') },
      head('0b', '00000017') + '0000000000000000' + '776879',
      { ...replica, name: 'damaged', replicaGen: 0, reason: 'why' }],
    ['state', (e: EntryWriter) => { e.state(key, 1, 4, 3, -1) },
      head('0c', '00000028') + '0000000000000001' + '0000000000000004' + '0000000000000003' + 'ffffffff',
      { ...replica, name: 'state', logStart: 1, logEnd: 4, highWatermark: 3, leaderEpochSeen: -1 }],
    ['segment', (e: EntryWriter) => {
      e.segment(key, { base: 1, end: 4, bytes: 2 ** 31 - 1, clipped: true, maxTimestamp: -1, createdAt: 5 })
    }, head('0d', '00000031') + '0000000000000001' + '0000000000000004' + '7fffffff' + '01' +
      'ffffffffffffffff' + '0000000000000005',
    { ...replica, name: 'segment', segment:
      { base: 1, end: 4, bytes: 2 ** 31 - 1, clipped: true, maxTimestamp: -1, createdAt: 5 } }],
    ['snapshot', (e: EntryWriter) => { e.offset('snapshot', key, 9) }, head('0e', '00000014') + '0000000000000009',
      { ...replica, name: 'snapshot', offset: 9 }]
  ] as const)('%s is laid out as written above its codec', (_, write, golden, decoded) => {
    const bytes = written(write)
    expect(hex(bytes)).toBe(golden)
    expect(decodeEntries(bytes)).toEqual([{ ...decoded, raw: bytes }])
  })

  it('refuses what another version wrote', () => {
    const unknown = written(e => { e.removed(key) })
    unknown[0] = 99
    expect(() => decodeEntries(unknown)).toThrow(expect.objectContaining({ code: 'VOLUME_VERSION' }))
    expect(() => decodeEntries(written(e => { e.removed(key) }).subarray(0, 10))).toThrow(/cannot be read/)
    const short = written(e => { e.batch(key, 1, 1, 1) })
    short[4] = 12
    expect(() => decodeEntries(short.subarray(0, 17))).toThrow(/cannot be read/)
  })
})

describe('a frame', () => {
  const uid = Buffer.from('a1a2a3a4a5a6a7a8', 'hex')

  function golden (): { parts: Uint8Array[], bytes: Uint8Array } {
    const frame = new FrameBuilder()
    frame.clear(258)
    frame.entries.batch(key, 5, 3, 4)
    frame.body(Buffer.from('wxyz'))
    const parts = frame.finish(uid)
    return { parts, bytes: Buffer.concat(parts) }
  }

  it('is laid out as written above its codec', () => {
    const { bytes } = golden()
    expect(bytes.length).toBe(4096)
    expect(hex(bytes.subarray(0, 48))).toBe('4d524a4601000000' + 'a1a2a3a4a5a6a7a8' + '0000000000000102' +
      '00000021' + '00000004' + '13e38f0e' + '81c7c2a3' + 'ec00e2cb' + '00000000')
    expect(hex(bytes.subarray(48, 85))).toBe(head('01', '0000001c') + '0000000000000005' +
      '00000003' + '00000004' + '7778797a')
    expect(bytes.subarray(85).every(byte => byte === 0)).toBe(true)
  })

  it('gives its header back, unless a bit of it is wrong', () => {
    const { bytes } = golden()
    expect(readFrameHeader(bytes, 0)).toMatchObject({
      version: 1, uid: 'a1a2a3a4a5a6a7a8', sequence: 258, directoryBytes: 33, bodyBytes: 4
    })
    for (let bit = 0; bit < 44 * 8; bit++) {
      const broken = bytes.slice()
      broken[bit >> 3]! ^= 1 << (bit & 7)
      expect(readFrameHeader(broken, 0)).toBeUndefined()
    }
    expect(readFrameHeader(bytes.subarray(0, 47), 0)).toBeUndefined()
  })

  it('refers to large batches and copies small ones, in order', () => {
    const frame = new FrameBuilder()
    frame.clear(1)
    const large = new Uint8Array(5000).fill(2)
    const little = (byte: number): Uint8Array => new Uint8Array(10).fill(byte)
    for (const body of [little(1), large, little(3), little(4)]) frame.body(body)
    const parts = frame.finish(uid)
    expect(parts.includes(large)).toBe(true)
    const bytes = Buffer.concat(parts)
    expect(hex(bytes.subarray(48 + 8, 48 + 12))).toBe('01010202')
    expect(hex(bytes.subarray(48 + 5008, 48 + 5032))).toBe('0202' + '03'.repeat(10) + '04'.repeat(10) + '0000')
    expect(bytes.length % 4096).toBe(0)
  })
})

describe('a checkpoint', () => {
  it('is laid out as written above its codec', () => {
    const entries = written(e => { e.removed(key) })
    const place = { sequence: 3, ordinal: 4, position: 8192 }
    const copy = encodeCheckpoint({ uid: 'a1a2a3a4a5a6a7a8', place, entries })
    expect(copy.length).toBe(4096)
    expect(hex(copy.subarray(0, 61))).toBe('4d52435001000000' + 'a1a2a3a4a5a6a7a8' + '0000000000000003' +
      '00000004' + '00002000' + '00000011' + '766e0073' + '81daae85' + hex(entries))
  })
})

describe('a producer snapshot', () => {
  it('is laid out as written above its codec, and is refused when it is broken or of another offset', () => {
    const bytes = encodeSnapshot(9, Buffer.from('ab'))
    expect(hex(bytes)).toBe('4d525053' + '6d0e0234' + '0000000000000009' + '6162')
    expect(decodeSnapshot(bytes, 9)).toEqual(new Uint8Array([0x61, 0x62]))
    expect(decodeSnapshot(bytes, 8)).toBeUndefined()
    const broken = bytes.slice()
    broken[17]! ^= 1
    expect(decodeSnapshot(broken, 9)).toBeUndefined()
    expect(decodeSnapshot(bytes.subarray(0, 10), 9)).toBeUndefined()
  })
})
