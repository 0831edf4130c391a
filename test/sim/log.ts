// Keeps what processes log, with the virtual time: shown when a run fails.
import type { Log } from '../../broker/io/ports.ts'
import type { SimProcess } from './scheduler.ts'

export interface LogLine {
  readonly atMs: number
  readonly who: string
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: object
  readonly message: string
}

const linesMax = 2_000

export class LogBook {
  lines: LogLine[] = []
  /** For every line, as it comes. */
  onLine: ((line: LogLine) => void) | undefined

  logOf (process: SimProcess): Log {
    const add = (level: LogLine['level'], fields: object, message: string): void => {
      const line = { atMs: process.scheduler.now, who: process.name, level, fields, message }
      this.lines.push(line)
      if (this.lines.length > 2 * linesMax) this.lines = this.lines.slice(-linesMax)
      this.onLine?.(line)
    }
    return {
      debug: (fields, message) => { add('debug', fields, message) },
      info: (fields, message) => { add('info', fields, message) },
      warn: (fields, message) => { add('warn', fields, message) },
      error: (fields, message) => { add('error', fields, message) }
    }
  }
}

export function formatLine ({ atMs, who, level, fields, message }: LogLine): string {
  const shown = JSON.stringify(fields, (_, value: unknown) => {
    if (value instanceof Error) return value.stack ?? value.message
    if (value instanceof Uint8Array) return `${value.length} bytes`
    return typeof value === 'bigint' ? String(value) : value
  })
  return `${atMs.toFixed(1).padStart(10)} ${who} ${level} ${message} ${shown === '{}' ? '' : shown}`.trimEnd()
}
