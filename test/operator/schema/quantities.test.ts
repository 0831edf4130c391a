import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import {
  InvalidValueError, parseBytes, parseDuration, sameQuantity, unlimited
} from '../../../operator/schema/quantities.ts'

describe('durations', () => {
  it.each([
    ['168h', 604_800_000], ['7d', 604_800_000], ['1w', 604_800_000], ['30m', 1_800_000], ['1h30m', 5_400_000],
    ['250ms', 250], ['1m1ms', 60_001], ['0s', 0], ['unlimited', unlimited]
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text, 'spec.retention.age')).toBe(ms)
  })

  it.each(['', '7', 'd', '7 d', '-7d', '7.5d', '1y', 'Unlimited', '9'.repeat(40) + 'd', '999999999w999999999w'])(
    'refuses %j with the field', text => {
      expect(() => parseDuration(text, 'spec.retention.age'))
        .toThrow(`spec.retention.age: ${JSON.stringify(text)} is not a duration such as 30m, 168h, 7d or unlimited`)
    })
})

describe('byte sizes', () => {
  it.each([
    ['10Gi', 10 * 2 ** 30], ['500M', 500e6], ['1.5Ti', 1.5 * 2 ** 40], ['1024', 1024], ['1k', 1000],
    ['0.3', 1], ['unlimited', unlimited]
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseBytes(text, 'size')).toBe(bytes)
  })

  it.each(['', '10GB', '10 Gi', '-1', 'Gi', '1e3', '.5Gi', '99999Pi', '1.2.3'])('refuses %j', text => {
    expect(() => parseBytes(text, 'size')).toThrow(InvalidValueError)
  })
})

it('answers with a safe integer or a typed error, whatever the text', () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'0123456789.KMGTPimshdwunlted-') }), text => {
    for (const parse of [parseDuration, parseBytes]) {
      try {
        const value = parse(text, 'f')
        expect(Number.isSafeInteger(value) && value >= -1).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidValueError)
      }
    }
  }), { numRuns: 500 })
})

it('knows two spellings of one quantity', () => {
  expect(sameQuantity('1000m', '1')).toBe(true)
  expect(sameQuantity('0.5Gi', '512Mi')).toBe(true)
  expect(sameQuantity('1G', '1Gi')).toBe(false)
  expect(sameQuantity('1', 'one')).toBe(false)
})
