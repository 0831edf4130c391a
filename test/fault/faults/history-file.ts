// The history of one client process, as lines of JSON in a file, so that it survives the process' kill -9:
//   {"b":3,"op":{...}}   operation 3 begins     {"e":3,"end":{...}}   and ends, or is known better
// Written without buffering of our own: what is in the page cache outlives a process.
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Operation } from '../../check/history.ts'
import { nowMs } from './clock.ts'

type Begun<O> = O extends Operation ? Omit<O, 'startMs' | 'endMs' | 'outcome' | 'process'> : never
type Ending = Partial<Pick<Operation, 'error' | 'outcome'>> & { offset?: number, offsets?: unknown, endMs?: number }

export class HistoryFile {
  readonly #file: number
  readonly #process: string
  #next = 0

  constructor (path: string, process: string) {
    this.#file = openSync(path, 'a')
    this.#process = process
  }

  /** Before anything of them may reach a broker. Returns the number of the first; the others follow. */
  begin (operations: readonly Begun<Operation>[], startMs = nowMs()): number {
    const first = this.#next
    const lines = operations.map(operation =>
      JSON.stringify({ b: this.#next++, op: { ...operation, process: this.#process, startMs } }))
    writeSync(this.#file, `${lines.join('\n')}\n`)
    return first
  }

  /** What is known of it before it ends. */
  note (number: number, facts: Partial<Operation>): void {
    writeSync(this.#file, `${JSON.stringify({ e: number, end: facts })}\n`)
  }

  end (number: number, ending: Ending): void {
    writeSync(this.#file, `${JSON.stringify({ e: number, end: { endMs: nowMs(), ...ending } })}\n`)
  }

  /** What happened in an instant, or is told when it has. */
  happened (operation: Begun<Operation>, startMs = nowMs()): void {
    this.end(this.begin([operation], startMs), { outcome: 'ok' })
  }
}

interface Line { readonly b?: number, readonly op?: Operation, readonly e?: number, readonly end?: Partial<Operation> }

/** What a process did, in the order in which it began it; what has not ended is unknown. */
export function readHistory (path: string): Operation[] {
  // It was killed before it had begun.
  if (!existsSync(path)) return []
  const found = new Map<number, Operation>()
  const lines = readFileSync(path, 'utf8').split('\n')
  // The last line of a killed process may be cut short; anything else must parse.
  const last = lines.pop() ?? ''
  if (last !== '' && !last.endsWith('}')) process.stderr.write(`% ${path}: the last line is cut short\n`)
  for (const text of lines) {
    const line = JSON.parse(text) as Line
    if (line.b !== undefined && line.op !== undefined) {
      found.set(line.b, { ...line.op, endMs: Infinity, outcome: 'unknown' } as Operation)
    } else if (line.e !== undefined) Object.assign(found.get(line.e)!, line.end)
  }
  return [...found.values()]
}
