// What is said beside the data: on stderr, each line with a % in front.

/** A line that is rewritten in place stands on the terminal now. */
let progressShown = false

function write (text: string): void {
  try {
    process.stderr.write(text)
  } catch {
    // Nobody reads the notes any more; that is no reason to stop.
  }
}

export function note (text: string): void {
  if (progressShown) write('\r\x1b[K')
  progressShown = false
  write(`% ${text}\n`)
}

/** Progress, on a terminal only: the same line again and again. */
export function progress (text: string): void {
  if (!process.stderr.isTTY) return
  write(`\r\x1b[K% ${text}`)
  progressShown = true
}

export function count (value: number): string {
  return value.toLocaleString('en-US')
}

export function plural (value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`
}

const firstAfterMs = 400
const againAfterMs = 5_000

/** `% waiting for ...`: not for what passes at once, and not the same thing over and over. */
export class WaitingNotes {
  #since = -1
  #saidAt = -Infinity
  #said = ''

  waiting (what: string, now = performance.now()): void {
    if (this.#since < 0) this.#since = now
    if (now - this.#since < firstAfterMs || now - this.#saidAt < firstAfterMs) return
    if (what === this.#said && now - this.#saidAt < againAfterMs) return
    this.#said = what
    this.#saidAt = now
    note(`waiting for ${what}`)
  }

  /** It goes on: the next wait is a new one. */
  over (): void {
    this.#since = -1
    this.#said = ''
  }
}
