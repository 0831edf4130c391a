// The functions that Kubernetes adds to CEL, as far as they are offered here.
// https://kubernetes.io/docs/reference/using-api/cel/#cel-libraries
import type { Environment } from '@marcbachmann/cel-js'
import { re2 } from './re2.ts'
import { compareQuantities, parseQuantity, quantityToInteger, quantityToNumber } from './quantity.ts'
import type { Quantity } from './quantity.ts'

/** A Quantity as CEL sees it: opaque but for its functions. */
class QuantityValue {
  readonly quantity: Quantity

  constructor (quantity: Quantity) {
    this.quantity = quantity
  }
}

function quantity (text: string): QuantityValue {
  const parsed = parseQuantity(text)
  if (parsed === undefined) throw new Error(`cannot parse ${JSON.stringify(text)} as a quantity`)
  return new QuantityValue(parsed)
}

function quantities (env: Environment): void {
  env.registerType('kubernetes.Quantity', { ctor: QuantityValue, fields: {} })
  const type = 'kubernetes.Quantity'
  env.registerFunction(`quantity(string): ${type}`, quantity)
  env.registerFunction('isQuantity(string): bool', (text: string) => parseQuantity(text) !== undefined)
  env.registerFunction(`${type}.compareTo(${type}): int`, (a: QuantityValue, b: QuantityValue) =>
    BigInt(compareQuantities(a.quantity, b.quantity)))
  env.registerFunction(`${type}.isGreaterThan(${type}): bool`, (a: QuantityValue, b: QuantityValue) =>
    compareQuantities(a.quantity, b.quantity) > 0)
  env.registerFunction(`${type}.isLessThan(${type}): bool`, (a: QuantityValue, b: QuantityValue) =>
    compareQuantities(a.quantity, b.quantity) < 0)
  env.registerOperator(`${type} == ${type}`, (a: QuantityValue, b: QuantityValue) =>
    compareQuantities(a.quantity, b.quantity) === 0)
  env.registerFunction(`${type}.sign(): int`, ({ quantity: { nanos } }: QuantityValue) =>
    nanos > 0n ? 1n : nanos < 0n ? -1n : 0n)
  env.registerFunction(`${type}.isInteger(): bool`, (value: QuantityValue) =>
    quantityToInteger(value.quantity) !== undefined)
  env.registerFunction(`${type}.asInteger(): int`, (value: QuantityValue) => {
    const integer = quantityToInteger(value.quantity)
    if (integer === undefined) throw new Error('cannot convert value to integer')
    return integer
  })
  env.registerFunction(`${type}.asApproximateFloat(): double`, (value: QuantityValue) =>
    quantityToNumber(value.quantity))
  const sum = (a: QuantityValue, nanos: bigint): QuantityValue =>
    new QuantityValue({ nanos: a.quantity.nanos + nanos, format: a.quantity.format })
  const nano = 1_000_000_000n
  env.registerFunction(`${type}.add(${type}): ${type}`, (a: QuantityValue, b: QuantityValue) =>
    sum(a, b.quantity.nanos))
  env.registerFunction(`${type}.add(int): ${type}`, (a: QuantityValue, b: bigint) => sum(a, b * nano))
  env.registerFunction(`${type}.sub(${type}): ${type}`, (a: QuantityValue, b: QuantityValue) =>
    sum(a, -b.quantity.nanos))
  env.registerFunction(`${type}.sub(int): ${type}`, (a: QuantityValue, b: bigint) => sum(a, -b * nano))
}

type Ordered = bigint | number | string | boolean

function lists (env: Environment): void {
  env.registerFunction('list.isSorted(): bool', (list: Ordered[]) =>
    list.every((item, at) => at === 0 || (list[at - 1] as Ordered) <= item))
  env.registerFunction('list<int>.sum(): int', (list: bigint[]) => list.reduce((a, b) => a + b, 0n))
  env.registerFunction('list<double>.sum(): double', (list: number[]) => list.reduce((a, b) => a + b, 0))
  for (const type of ['int', 'double', 'string']) {
    const extreme = (name: string, better: (a: Ordered, b: Ordered) => boolean): void => {
      env.registerFunction(`list<${type}>.${name}(): ${type}`, (list: Ordered[]) => {
        if (list.length === 0) throw new Error(`${name} called on empty list`)
        return list.reduce((a, b) => better(b, a) ? b : a)
      })
    }
    extreme('min', (a, b) => a < b)
    extreme('max', (a, b) => a > b)
    env.registerFunction(`list<${type}>.indexOf(${type}): int`, (list: Ordered[], item: Ordered) =>
      BigInt(list.indexOf(item)))
    env.registerFunction(`list<${type}>.lastIndexOf(${type}): int`, (list: Ordered[], item: Ordered) =>
      BigInt(list.lastIndexOf(item)))
  }
}

function strings (env: Environment): void {
  env.registerFunction('string.charAt(int): string', (text: string, at: bigint) => {
    const characters = [...text]
    if (at < 0n || at > BigInt(characters.length)) throw new Error(`index out of range: ${at}`)
    return characters[Number(at)] ?? ''
  })
  env.registerFunction('string.replace(string, string): string',
    (text: string, from: string, to: string) => text.replaceAll(from, () => to))
  env.registerFunction('string.find(string): string', (text: string, pattern: string) =>
    re2(pattern).exec(text)?.[0] ?? '')
  env.registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) =>
    [...text.matchAll(new RegExp(re2(pattern), 'gu'))].map(match => match[0]))
}

/** Adds Kubernetes' functions to the standard ones. */
export function registerLibrary (env: Environment): void {
  quantities(env)
  lists(env)
  strings(env)
}
