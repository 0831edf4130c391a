// Command line values as numbers, offsets, headers. A wrong one is a usage error that says what is right.
import { InvalidArgumentError } from 'commander'
import { parseBootstrap } from '../client/addresses.ts'
import type { StartAt } from '../client/consumer-options.ts'
import type { Header } from '../wire/batch-builder.ts'

export function integer (least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return text => {
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least && value <= most) return value
    const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`A whole number ${range} is wanted.`)
  }
}

/** Seconds, fractions allowed, as milliseconds. */
export function seconds (text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= 86_400) return value * 1_000
  throw new InvalidArgumentError('A number of seconds is wanted, above 0 and at most 86400.')
}

/** 'host:port,host:port', as it is; an empty environment variable is as good as none. */
export function bootstrap (text: string, before: string): string {
  if (text === '') return before
  try {
    parseBootstrap(text)
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`)
  }
  return text
}

/** host:port */
export function address (text: string): string {
  if (text === '' || text.includes(',')) throw new InvalidArgumentError('One host:port is wanted.')
  return bootstrap(text, text)
}

/** Broker ids, '1,2,3': in this order, each once. */
export function brokers (text: string): number[] {
  const one = integer(0, 2 ** 31 - 1)
  const ids = text.split(',').map(part => one(part.trim()))
  if (new Set(ids).size === ids.length) return ids
  throw new InvalidArgumentError('A broker is named twice.')
}

/** '3' or '0,2,5'. */
export function partitions (text: string): number[] {
  const one = integer(0)
  return [...new Set(text.split(',').map(part => one(part.trim())))]
}

/** start, end, an offset, -n, or @ with milliseconds since 1970 or an ISO 8601 time. */
export function startAt (text: string): StartAt {
  if (text === 'start' || text === 'end') return text
  if (/^-?\d+$/.test(text)) {
    const value = Number(text)
    if (Number.isSafeInteger(value)) return Object.is(value, -0) ? 'end' : value
  }
  if (text.startsWith('@')) {
    const time = text.slice(1)
    const timestamp = /^\d+$/.test(time) ? Number(time) : /^\d{4}-\d\d/.test(time) ? Date.parse(time) : Number.NaN
    if (Number.isSafeInteger(timestamp) && timestamp >= 0) return { timestamp }
  }
  throw new InvalidArgumentError('start, end, an offset, -n (the last n) or @time is wanted; ' +
    'a time is ISO 8601 (2026-05-01T12:00:00Z) or milliseconds since 1970.')
}

/** name=value, collected. */
export function header (text: string, before: readonly Header[] = []): Header[] {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('name=value is wanted.')
  return [...before, { key: text.slice(0, at), value: new TextEncoder().encode(text.slice(at + 1)) }]
}

/** A separator as typed in a shell: \t, \n, \\ and \xHH are understood. */
export function unescape (text: string): string {
  return text.replace(/\\(t|n|r|0|\\|x[0-9a-fA-F]{2})/g, (_, code: string) => {
    if (code.startsWith('x')) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return { t: '\t', n: '\n', r: '\r', 0: '\0', '\\': '\\' }[code]!
  })
}

export function separator (text: string): string {
  if (text !== '') return unescape(text)
  throw new InvalidArgumentError('At least one character is wanted.')
}

export function rate (text: string): number {
  return integer(1, 100_000_000)(text)
}
