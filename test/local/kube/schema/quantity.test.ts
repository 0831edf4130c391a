import { describe, expect, it } from 'vitest'
import {
  canonicalQuantity, compareQuantities, parseQuantity, quantityToInteger
} from '../../../../local/kube/schema/quantity.ts'

function canonical (text: string): string | undefined {
  const quantity = parseQuantity(text)
  return quantity === undefined ? undefined : canonicalQuantity(quantity)
}

describe('quantities', () => {
  // As `kubectl apply` and `kubectl get` show them on a real cluster.
  it.each([
    ['1', '1'], ['0', '0'], ['0Gi', '0'], ['1000', '1k'], ['1024', '1024'], ['1.5Gi', '1536Mi'], ['1024Mi', '1Gi'],
    ['0.5', '500m'], ['100m', '100m'], ['1000m', '1'], ['1500m', '1500m'], ['.5Gi', '512Mi'], ['1e3', '1e3'],
      ['12e6', '12e6'],
    ['-1.5', '-1500m'], ['+1', '1'], ['1k', '1k'], ['0.1Ki', '102400m'], ['2147483648', '2147483648'], ['1u', '1u'],
      ['1n', '1n'],
    ['1.', '1'], ['10Ei', '10Ei']
  ])('brings %s into the form %s', (text, wanted) => {
    expect(canonical(text)).toBe(wanted)
  })

  it.each(['', 'x', '1 Gi', '1gi', 'Gi', '1Gi1', '--1', '1e', '1ee3', '1.5.2'])('refuses %j', text => {
    expect(parseQuantity(text)).toBeUndefined()
  })

  it('compares across units and keeps integers exact', () => {
    const [a, b] = [parseQuantity('1Gi')!, parseQuantity('1G')!]
    expect([compareQuantities(a, b), compareQuantities(b, a),
      compareQuantities(a, parseQuantity('1024Mi')!)]).toEqual([1, -1, 0])
    expect(quantityToInteger(parseQuantity('9007199254740993')!)).toBe(9007199254740993n)
    expect(quantityToInteger(parseQuantity('1500m')!)).toBeUndefined()
    expect(quantityToInteger(parseQuantity('16Ei')!)).toBeUndefined()
  })
})
