// How far the start is: on a terminal a block of lines that changes in place, elsewhere a line for each news.
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write (text: string): unknown
}

interface Item {
  readonly label: string
  text: string
  done: boolean
}

const labelWidth = 18

export class Progress {
  readonly #terminal: Terminal
  readonly #items = new Map<string, Item>()
  #linesShown = 0

  constructor (terminal: Terminal) {
    this.#terminal = terminal
  }

  /** News of one thing. The same text twice is no news. */
  set (label: string, text: string, done: boolean): void {
    const item = this.#items.get(label)
    if (item?.text === text && item.done === done) return
    this.#items.set(label, { label, text, done })
    if (this.#terminal.isTTY === true) this.#draw()
    else this.#terminal.write(`${line({ label, text, done })}\n`)
  }

  /** A thing that is not awaited any more. */
  drop (label: string): void {
    if (this.#items.delete(label) && this.#terminal.isTTY === true) this.#draw()
  }

  /** The block stays as it is; what follows is written below. */
  end (): void {
    this.#linesShown = 0
    this.#items.clear()
  }

  #draw (): void {
    const up = this.#linesShown > 0 ? `\u001b[${this.#linesShown}A` : ''
    // Some terminals say 0.
    const width = Math.max(this.#terminal.columns ?? 0, 40)
    const lines = [...this.#items.values()].map(item => `\u001b[2K${line(item).slice(0, width - 1)}\n`)
    this.#terminal.write(`${up}${lines.join('')}\u001b[J`)
    this.#linesShown = lines.length
  }
}

function line ({ label, text, done }: Item): string {
  return `  ${done ? '✓' : '·'} ${label.padEnd(labelWidth)} ${text}`
}
