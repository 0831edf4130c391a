import { expect, it } from 'vitest'
import { covers } from '../../../operator/kube/covers.ts'

it.each([
  ['the same', { a: 1 }, { a: 1 }, true],
  ['defaults of the server', { a: 1, b: { c: 2 } }, { a: 1 }, true],
  ['another value', { a: 1 }, { a: 2 }, false],
  ['a field that is missing', {}, { a: 1 }, false],
  ['a wish that is undefined', {}, { a: undefined }, true],
  ['an empty map that was stored as nothing', {}, { a: {} }, true],
  ['lists of the same length, item by item', { l: [{ a: 1, b: 2 }] }, { l: [{ a: 1 }] }, true],
  ['a longer list without names', { l: [1, 2] }, { l: [1] }, false],
  ['named entries among others', { l: [{ name: 'x' }, { name: 'y', v: 1 }] }, { l: [{ name: 'y', v: 1 }] }, true],
  ['a named entry that is missing', { l: [{ name: 'x' }] }, { l: [{ name: 'y' }] }, false],
  ['another spelling of a quantity', { requests: { cpu: '1' } }, { requests: { cpu: '1000m' } }, true],
  ['another quantity', { requests: { cpu: '1' } }, { requests: { cpu: '1001m' } }, false],
  ['what only looks like a quantity', { labels: { v: '1' } }, { labels: { v: '1000m' } }, false],
  ['an inherited name', {}, { constructor: 'x' }, false]
])('%s', (_name, live, wanted, result) => {
  expect(covers(live, wanted)).toBe(result)
})
