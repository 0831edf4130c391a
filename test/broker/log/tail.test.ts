import { describe, expect, it } from 'vitest'
import { Segment } from '../../../broker/log/segment.ts'
import { Ring, Tail } from '../../../broker/log/tail.ts'

const segment = new Segment(0, 0)

function push (tail: Tail, base: number, count: number, bytes: Uint8Array): void {
  tail.push({ base, end: base + count, bytes, maxTimestamp: 0, segment, position: 0, sequence: 1 })
}

function filled (batches: number, bytes = 10): Tail {
  const tail = new Tail()
  for (let i = 0; i < batches; i++) push(tail, i * 2, 2, new Uint8Array(bytes).fill(i))
  return tail
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

  it('gives one view of what came in one piece, and a copy otherwise', () => {
    const tail = new Tail()
    const piece = new Uint8Array([1, 2, 3, 4, 5, 6])
    push(tail, 0, 1, piece.subarray(0, 2))
    push(tail, 1, 1, piece.subarray(2, 6))
    push(tail, 2, 1, new Uint8Array([7]))
    expect(tail.read(0, 2, 100)!.buffer).toBe(piece.buffer)
    expect([...tail.read(0, 3, 100)!]).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(tail.read(2, 3, 100)).toEqual(new Uint8Array([7]))
  })

  it('evicts only what is written, oldest first, however many', () => {
    const tail = filled(300)
    expect(tail.evict()).toBe(0)
    tail.wrote(250)
    expect([tail.bytes, tail.unwrittenBytes]).toEqual([3000, 500])
    for (let i = 0; i < 250; i++) expect(tail.evict()).toBe(10)
    expect([tail.evict(), tail.start, tail.bytes]).toEqual([0, 500, 500])
    expect(tail.read(499, 600, 1)).toBeUndefined()
    expect(tail.read(500, 600, 1)?.[0]).toBe(250)
    expect(tail.firstUnwritten?.base).toBe(500)
  })

  it('truncates written and unwritten batches, and counts right', () => {
    const tail = filled(10)
    tail.wrote(4)
    tail.truncate(12)
    expect([tail.bytes, tail.unwrittenBytes]).toEqual([60, 20])
    expect(tail.truncate(4)?.base).toBe(4)
    expect([tail.bytes, tail.unwrittenBytes, tail.firstUnwritten]).toEqual([20, 0, undefined])
    push(tail, 4, 1, new Uint8Array(5))
    expect([tail.unwrittenBytes, tail.firstUnwritten?.base]).toEqual([5, 4])
    expect(tail.truncate(100)).toBeUndefined()
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
    const ring = new Ring(10_000)
    const quiet = [member(ring, 5), member(ring, 10)]
    const busy = member(ring, 500)
    expect(quiet.map(tail => tail.bytes)).toEqual([500, 1000])
    expect(ring.bytes).toBeLessThanOrEqual(10_000)
    expect(busy.bytes).toBeGreaterThan(3000)
  })

  it('shares among busy logs', () => {
    const ring = new Ring(10_000)
    const tails = [member(ring, 60), member(ring, 60), member(ring, 60), member(ring, 60)]
    expect(ring.bytes).toBeLessThanOrEqual(10_000)
    for (const tail of tails) expect(tail.bytes).toBeGreaterThanOrEqual(1000)
  })

  it('keeps what is not written, and trims when it is', () => {
    const ring = new Ring(1000)
    const tail = filled(50, 100)
    ring.join(tail)
    ring.changed(tail, tail.bytes)
    expect(ring.bytes).toBe(5000)
    tail.wrote(50)
    ring.trim(tail)
    expect(ring.bytes).toBeLessThanOrEqual(1000)
    ring.leave(tail)
    expect(ring.bytes).toBe(0)
  })
})
