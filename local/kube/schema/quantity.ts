// resource.Quantity: numbers with units, kept exact, written back in their canonical form.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

type Format = 'BinarySI' | 'DecimalSI' | 'DecimalExponent'

/** The value in thousandths-of-thousandths (nano), the smallest step that a Quantity keeps. */
export interface Quantity {
  readonly nanos: bigint
  readonly format: Format
}

const nano = 1_000_000_000n
const pattern = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?|[eE][+-]?\d{1,3})$/
export const quantityError = 'quantities must match the regular expression ' +
  "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const decimal: Record<string, number> =
  { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const decimalSuffixes = Object.entries(decimal).toSorted((a, b) => b[1] - a[1])

function scaled (digits: string, numerator: bigint, denominator: bigint): bigint {
  const [whole = '', fraction = ''] = digits.split('.')
  const units = BigInt(whole + fraction || '0')
  const divisor = 10n ** BigInt(fraction.length) * denominator
  const product = units * numerator
  // Rounds away from zero, as Kubernetes does with what is finer than it keeps.
  return (product + divisor - 1n) / divisor
}

/** Undefined when the text is no quantity. */
export function parseQuantity (text: string): Quantity | undefined {
  const match = pattern.exec(text)
  if (match === null) return undefined
  const [, sign, digits = '0', suffix = ''] = match
  let magnitude: bigint
  let format: Format = 'DecimalSI'
  if (suffix.length === 2 && suffix.endsWith('i')) {
    magnitude = scaled(digits, nano * 1024n ** BigInt(binary.indexOf(suffix)), 1n)
    format = 'BinarySI'
  } else {
    const isExponent = /^[eE][+-]?\d/.test(suffix)
    const exponent = isExponent ? Number(suffix.slice(1)) : decimal[suffix] ?? 0
    if (isExponent) format = 'DecimalExponent'
    if (Math.abs(exponent) > 100) return undefined
    magnitude = exponent >= 0
      ? scaled(digits, nano * 10n ** BigInt(exponent), 1n)
      : scaled(digits, nano, 10n ** BigInt(-exponent))
  }
  return { nanos: sign === '-' ? -magnitude : magnitude, format }
}

/** Largest unit that loses nothing: `1.5Gi` → `1536Mi`, `0.5` → `500m`. */
export function canonicalQuantity (quantity: Quantity): string {
  const { nanos } = quantity
  if (nanos === 0n) return '0'
  if (quantity.format === 'BinarySI') {
    const whole = nanos / nano
    // Below 1024, or with a fraction, the decimal form is used.
    if (nanos % nano === 0n && (whole >= 1024n || whole <= -1024n)) {
      let value = whole
      let power = 0
      while (value % 1024n === 0n && power < binary.length - 1) {
        value /= 1024n
        power++
      }
      return `${value}${binary[power] ?? ''}`
    }
  }
  for (const [suffix, exponent] of decimalSuffixes) {
    const unit = 10n ** BigInt(exponent + 9)
    if (nanos % unit !== 0n) continue
    if (quantity.format !== 'DecimalExponent') return `${nanos / unit}${suffix}`
    return exponent === 0 ? String(nanos / unit) : `${nanos / unit}e${exponent}`
  }
  return String(nanos)
}

export function compareQuantities (left: Quantity, right: Quantity): number {
  return left.nanos < right.nanos ? -1 : left.nanos > right.nanos ? 1 : 0
}

/** As a number, for CEL's asApproximateFloat. */
export function quantityToNumber (quantity: Quantity): number {
  return Number(quantity.nanos / nano) + Number(quantity.nanos % nano) / Number(nano)
}

/** The integer that it is, or undefined with a fraction or beyond 64 bits. */
export function quantityToInteger (quantity: Quantity): bigint | undefined {
  if (quantity.nanos % nano !== 0n) return undefined
  const value = quantity.nanos / nano
  return value > 0x7fff_ffff_ffff_ffffn || value < -0x8000_0000_0000_0000n ? undefined : value
}
