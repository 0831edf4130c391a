// Durations and byte sizes as people write them in a resource, parsed here and nowhere else. The
// patterns stand in the CRDs too, so that the API server refuses what would not parse.

/** `168h`, `7d`, `1h30m`, `unlimited`. */
export const durationPattern = '^(unlimited|([0-9]{1,9}(ms|s|m|h|d|w))+)$'
export const durationLengthMax = 32

/** A Kubernetes quantity of bytes: `10Gi`, `500M`, `1.5Ti`, `1073741824`. */
export const bytesPattern = '^[0-9]{1,15}(\\.[0-9]{1,6})?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$'
/** The same, or `unlimited`. */
export const bytesOrUnlimitedPattern = `^(unlimited|${bytesPattern.slice(1, -1)})$`
/** A Kubernetes quantity of CPU: `2`, `500m`, `1.5`. */
export const cpuPattern = '^[0-9]{1,6}(\\.[0-9]{1,3})?m?$'
export const quantityLengthMax = 24

/** What the wire says for "no limit" (TopicInfo.retention_ms, retention_bytes). */
export const unlimited = -1

/** A value that a resource may not have; `message` says what would do. */
export class InvalidValueError extends Error {
  override readonly name = 'InvalidValueError'
  /** Path in the resource: `spec.retention.age`. */
  readonly field: string
  readonly value: string

  constructor (field: string, value: string, wanted: string) {
    super(`${field}: ${JSON.stringify(value)} is not ${wanted}`)
    this.field = field
    this.value = value
  }
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000
}

/**
 * Milliseconds, or `unlimited` (-1).
 * @throws InvalidValueError for what the pattern refuses, and beyond 2^53.
 */
export function parseDuration (text: string, field: string): number {
  const wanted = 'a duration such as 30m, 168h, 7d or unlimited'
  if (text.length > durationLengthMax || !new RegExp(durationPattern).test(text)) {
    throw new InvalidValueError(field, text, wanted)
  }
  if (text === 'unlimited') return unlimited
  let total = 0
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|[smhdw])/g)) {
    total += Number(count) * durationUnits[unit!]!
  }
  if (!Number.isSafeInteger(total)) throw new InvalidValueError(field, text, wanted)
  return total
}

const byteUnits: Readonly<Record<string, number>> = {
  '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15,
  Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50
}

/**
 * Bytes, rounded up as Kubernetes does, or `unlimited` (-1).
 * @throws InvalidValueError for what the pattern refuses, and beyond 2^53.
 */
export function parseBytes (text: string, field: string): number {
  if (text === 'unlimited') return unlimited
  const wanted = 'a number of bytes such as 512Mi, 10Gi or 500M'
  if (text.length > quantityLengthMax || !new RegExp(bytesPattern).test(text)) {
    throw new InvalidValueError(field, text, wanted)
  }
  const [, digits, unit] = /^([0-9.]+)([A-Za-z]*)$/.exec(text)!
  const bytes = Math.ceil(Number(digits) * byteUnits[unit!]!)
  if (!Number.isSafeInteger(bytes)) throw new InvalidValueError(field, text, wanted)
  return bytes
}

const quantityUnits: Readonly<Record<string, number>> = { ...byteUnits, m: 1e-3, E: 1e18, Ei: 2 ** 60 }

/** True for two spellings of one Kubernetes quantity: `1000m` and `1`, `0.5Gi` and `512Mi`. */
export function sameQuantity (left: string, right: string): boolean {
  if (left === right) return true
  const [a, b] = [quantityValue(left), quantityValue(right)]
  return a !== undefined && b !== undefined && Math.abs(a - b) <= Math.abs(a) * 1e-9
}

function quantityValue (text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)$/.exec(text)
  const unit = match === null ? undefined : quantityUnits[match[2]!]
  return unit === undefined ? undefined : Number(match![1]) * unit
}
