import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Segment } from '../../../broker/log/segment.ts'
import { Ring, Tail } from '../../../broker/log/tail.ts'

const segment = new Segment(0, 0)
/** Where the next batch of a tail lies in its segment. */
const places = new WeakMap<Tail, number>()
const everything = { bytesMax: Infinity, sequenceMax: Infinity, offsetEnd: Infinity }

function push (tail: Tail, base: number, count: number, bytes: Uint8Array, isMost = true): void {
  const position = places.get(tail) ?? 0
  places.set(tail, position + bytes.length)
  tail.push({ base, end: base + count, bytes, maxTimestamp: 0, segment, position, sequence: 1 }, isMost)
}

function filled (batches: number, bytes = 10): Tail {
  const tail = new Tail()
  for (let i = 0; i < batches; i++) push(tail, i * 2, 2, new Uint8Array(bytes).fill(i))
  return tail
}

function firstUnwritten (tail: Tail): number | undefined {
  if (tail.unwrittenRun(everything) === undefined) return undefined
  let first: number | undefined
  tail.eachUnwritten(1, ({ base }) => { first = base })
  return first
}

describe('a tail', () => {
  it('gives whole batches from the one that holds an offset', () => {
    const tail = filled(4, 3)
    const read = (offset: number, end: number, max: number): string | undefined => tail.read(offset, end, max)?.join('')
    expect(read(0, 8, 100)).toBe('000111222333')
    expect(read(3, 8, 100)).toBe('111222333')
    expect(read(3, 8, 6)).toBe('111222')
    expect(read(3, 8, 5)).toBe('111')
    expect(read(3, 8, 0)).toBe('111')
    expect(read(3, 7, 100)).toBe('111222')
    expect(read(3, 3, 100)).toBe('')
    expect(read(8, 8, 100)).toBe('')
  })

  it('gives one view of large batches that came in one piece, and a copy otherwise', () => {
    const tail = new Tail()
    const piece = new Uint8Array(12_000).fill(7)
    push(tail, 0, 1, piece.subarray(0, 5000))
    push(tail, 1, 1, piece.subarray(5000, 12_000))
    push(tail, 2, 1, new Uint8Array([8]))
    expect(tail.read(0, 2, 100_000)!.buffer).toBe(piece.buffer)
    expect(tail.read(0, 3, 100_000)!.length).toBe(12_001)
    expect(tail.read(2, 3, 100)).toEqual(new Uint8Array([8]))
  })

  it('keeps no message alive for the little that it holds of it', () => {
    const tail = new Tail()
    const message = new Uint8Array(100_000)
    push(tail, 0, 1, message.subarray(0, 100))
    push(tail, 1, 1, message.subarray(100, 9000), false)
    expect(tail.read(0, 1, 100)!.buffer).not.toBe(message.buffer)
    expect(tail.read(1, 2, 100)!.buffer).not.toBe(message.buffer)
  })

  it('never changes what it has given away', () => {
    const tail = filled(3, 4)
    const before = tail.read(2, 6, 100)!
    tail.truncate(2)
    push(tail, 2, 4, new Uint8Array(8).fill(9))
    expect(before.join('')).toBe('11112222')
    expect(tail.read(2, 6, 100)!.join('')).toBe('99999999')
  })

  it('counts the memory that many small batches take: not much more than their bytes', () => {
    const tail = filled(10_000, 100)
    expect(tail.bytes).toBeGreaterThan(1_400_000)
    expect(tail.bytes).toBeLessThan(1_600_000)
    expect(filled(1, 100).bytes).toBeLessThan(2000)
  })

  it('takes no large block for a small batch between large ones', () => {
    const tail = new Tail()
    for (let i = 0; i < 2000; i++) push(tail, i, 1, new Uint8Array(i % 2 === 0 ? 100 : 5000))
    expect(tail.bytes).toBeLessThan(1.6 * 1000 * 5100)
    expect(filled(1000, 2000).bytes).toBeLessThan(1.15 * 1000 * 2000)
  })

  it('evicts only what is written, oldest first, however many', () => {
    const tail = filled(300)
    expect(tail.evict()).toBe(0)
    tail.wrote(250)
    expect([tail.unwrittenBytes, firstUnwritten(tail)]).toEqual([500, 500])
    const held = tail.bytes
    let freed = 0
    for (let bytes = tail.evict(); bytes > 0; bytes = tail.evict()) freed += bytes
    expect(freed).toBeGreaterThan(2000)
    expect(tail.bytes).toBe(held - freed)
    expect(tail.start).toBeGreaterThan(200)
    expect(tail.start).toBeLessThanOrEqual(500)
    expect(tail.read(tail.start! - 1, 600, 1)).toBeUndefined()
    expect(tail.read(500, 600, 1)?.[0]).toBe(250)
    tail.wrote(50)
    while (tail.evict() > 0);
    expect([tail.bytes, tail.start, tail.read(599, 600, 1)]).toEqual([0, undefined, undefined])
  })

  it('truncates written and unwritten batches, and counts right', () => {
    const tail = filled(10)
    tail.wrote(4)
    tail.truncate(12)
    expect(tail.unwrittenBytes).toBe(20)
    expect(tail.truncate(4)).toMatchObject({ base: 4, position: 20 })
    expect([tail.unwrittenBytes, firstUnwritten(tail)]).toEqual([0, undefined])
    places.set(tail, 20)
    push(tail, 4, 1, new Uint8Array(5))
    expect([tail.unwrittenBytes, firstUnwritten(tail)]).toEqual([5, 4])
    expect(tail.truncate(100)).toBeUndefined()
    expect(() => tail.truncate(1)).toThrow('1 lies within the batch 0 to 2')
  })

  it('has to write what comes after a truncation below what it holds', () => {
    const tail = filled(300)
    tail.wrote(300)
    while (tail.evict() > 0);
    tail.truncate(100)
    push(tail, 100, 2, new Uint8Array(10))
    expect([tail.unwrittenBytes, firstUnwritten(tail), tail.evict()]).toEqual([10, 100, 0])
  })

  it('is what a list of batches is, whatever is done with it', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('push' as const), count: fc.integer({ min: 1, max: 3 }),
        size: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 300 }) },
          { weight: 1, arbitrary: fc.integer({ min: 4000, max: 70_000 }) }),
        rolls: fc.boolean() }),
      fc.record({ do: fc.constant('write' as const), bytesMax: fc.integer({ min: 0, max: 2000 }), frames: fc.nat(5) }),
      fc.record({ do: fc.constant('evict' as const) }),
      fc.record({ do: fc.constant('truncate' as const), at: fc.nat(100) }),
      fc.record({ do: fc.constant('read' as const), at: fc.nat(100), bytesMax: fc.nat(3000), less: fc.nat(4) })
    )
    fc.assert(fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const tail = new Tail()
      let model: { base: number, end: number, fill: number, size: number, sequence: number, segment: Segment,
        position: number }[] = []
      let [end, written, evicted, fill, sequence] = [0, 0, 0, 0, 0]
      let current = new Segment(0, 0)
      let position = 0
      for (const each of steps) {
        if (each.do === 'push') {
          if (each.rolls || current.closed) [current, position] = [new Segment(end, 0), 0]
          const batch = { base: end, end: end + each.count, fill: ++fill % 256, size: each.size,
            sequence: ++sequence, segment: current, position }
          const bytes = new Uint8Array(each.size).fill(batch.fill)
          tail.push({ ...batch, bytes, maxTimestamp: fill }, true)
          model.push(batch)
          position += each.size
          end = batch.end
        } else if (each.do === 'write') {
          const run = tail.unwrittenRun({ bytesMax: each.bytesMax, sequenceMax: sequence - each.frames,
            offsetEnd: Infinity })
          const wanted: typeof model = []
          let size = 0
          for (const batch of model.filter(({ base }) => base >= written)) {
            if (batch.sequence > sequence - each.frames) break
            if (wanted.length > 0 && (size + batch.size > each.bytesMax || batch.segment !== wanted[0]!.segment)) break
            wanted.push(batch)
            size += batch.size
          }
          expect(run?.count ?? 0).toBe(wanted.length)
          if (run === undefined) continue
          expect([run.position, run.segment === wanted[0]!.segment]).toEqual([wanted[0]!.position, true])
          expect(Buffer.concat(run.parts).equals(Buffer.concat(wanted.map(batch => Buffer.alloc(batch.size,
            batch.fill))))).toBe(true)
          const told: number[] = []
          tail.eachUnwritten(run.count, batch => { told.push(batch.base, batch.end, batch.sizeBytes) })
          expect(told).toEqual(wanted.flatMap(batch => [batch.base, batch.end, batch.size]))
          tail.wrote(run.count)
          written = wanted.at(-1)!.end
        } else if (each.do === 'evict') {
          tail.evict()
          evicted = tail.start ?? end
          expect(evicted).toBeLessThanOrEqual(written)
          model = model.filter(batch => batch.base >= evicted)
        } else if (each.do === 'truncate') {
          const first = model[each.at % (model.length + 1)]
          if (first === undefined) continue
          expect(tail.truncate(first.base)).toEqual({ base: first.base, segment: first.segment,
            position: first.position })
          model = model.filter(batch => batch.base < first.base)
          end = first.base
          written = Math.min(written, end)
          current.closed = true
        } else {
          const at = each.at % (end + 1)
          const offsetEnd = end - each.less
          const from = model.findIndex(batch => batch.end > at)
          const bytes = tail.read(at, offsetEnd, each.bytesMax)
          if (at < evicted || model.length === 0) {
            expect(bytes).toBeUndefined()
            continue
          }
          const wanted: Buffer[] = []
          let size = 0
          for (const batch of from < 0 ? [] : model.slice(from)) {
            if (batch.end > offsetEnd || (wanted.length > 0 && size + batch.size > each.bytesMax)) break
            wanted.push(Buffer.alloc(batch.size, batch.fill))
            size += batch.size
          }
          expect(Buffer.concat(wanted).equals(bytes!)).toBe(true)
        }
        expect(tail.unwrittenBytes).toBe(model.filter(({ base }) => base >= written)
          .reduce((sum, { size }) => sum + size, 0))
        expect(tail.bytes > 0).toBe(model.length > 0)
      }
    }), { numRuns: 300 })
  })
})

describe('the ring', () => {
  function member (ring: Ring, batches: number): Tail {
    const tail = filled(batches, 100)
    tail.wrote(batches)
    ring.join(tail)
    ring.changed(tail, tail.bytes)
    return tail
  }

  it('lets a busy log not push out the tails of the others', () => {
    const ring = new Ring(50_000)
    const quiet = [member(ring, 5), member(ring, 10)]
    const before = quiet.map(tail => tail.bytes)
    const busy = member(ring, 500)
    expect(quiet.map(tail => tail.bytes)).toEqual(before)
    expect(ring.bytes).toBeLessThanOrEqual(50_000)
    expect(busy.bytes).toBeGreaterThan(15_000)
  })

  it('shares among busy logs', () => {
    const ring = new Ring(50_000)
    const tails = [member(ring, 150), member(ring, 150), member(ring, 150), member(ring, 150)]
    expect(ring.bytes).toBeLessThanOrEqual(50_000)
    for (const tail of tails) expect(tail.bytes).toBeGreaterThanOrEqual(5000)
  })

  it('keeps what is not written, and trims when it is', () => {
    const ring = new Ring(1000)
    const tail = filled(50, 100)
    ring.join(tail)
    ring.changed(tail, tail.bytes)
    expect(ring.bytes).toBeGreaterThan(5000)
    tail.wrote(50)
    ring.trim(tail)
    expect(ring.bytes).toBeLessThanOrEqual(1000)
    ring.leave(tail)
    expect(ring.bytes).toBe(0)
  })
})
