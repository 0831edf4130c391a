import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hash } from '../../operator/objects/hash.ts'
import { same } from '../../operator/same.ts'

describe('same', () => {
  it('takes equal JSON for the same, whatever the order of fields; undefined is none', () => {
    expect(same({ a: 1, b: [{ c: null }] }, { b: [{ c: null }], a: 1 })).toBe(true)
    expect(same({ a: 1, b: undefined }, { a: 1 })).toBe(true)
    expect(same({ a: 1 }, { a: 1, b: undefined })).toBe(true)
    expect(same(undefined, undefined)).toBe(true)
  })

  it('notices every difference', () => {
    const pairs: [unknown, unknown][] = [
      [1, 2], [1, '1'], [null, {}], [null, undefined], [[], {}], [[1], [1, 2]], [[1, 2], [2, 1]], [{ a: 1 }, {}],
      [{}, { a: 1 }], [{ a: { b: 1 } }, { a: { b: 2 } }], [{ a: 1 }, { b: 1 }], [{ a: [] }, { a: null }],
      [{ toString: 1 }, {}], [{}, { constructor: 1 }]
    ]
    for (const [left, right] of pairs) {
      expect(same(left, right), JSON.stringify([left, right])).toBe(false)
      expect(same(right, left), JSON.stringify([right, left])).toBe(false)
    }
  })

  it('says what the hashes of both say', () => {
    const json = fc.jsonValue({ maxDepth: 3 })
    fc.assert(fc.property(json, json, (left, right) => {
      expect(same(left, right)).toBe(hash(left) === hash(right))
      expect(same(left, JSON.parse(JSON.stringify(left)))).toBe(true)
    }))
  })
})
