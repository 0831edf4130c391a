// One direction between two hosts: open, cut (what is sent waits, as TCP would send it again) or slow.

export class Gate {
  /** How often it was cut and not healed again; faults may overlap. */
  #cuts = 0
  delayMs = 0
  readonly #waiting: (() => void)[] = []

  get isOpen (): boolean { return this.#cuts === 0 }

  cut (): void { this.#cuts++ }

  heal (): void {
    if (this.#cuts === 0) return
    this.#cuts--
    if (this.#cuts === 0) for (const resume of this.#waiting.splice(0)) resume()
  }

  healAll (): void {
    this.delayMs = 0
    while (!this.isOpen) this.heal()
  }

  /** Calls `resume` once, at once when it is open. */
  whenOpen (resume: () => void): void {
    if (this.isOpen) resume()
    else this.#waiting.push(resume)
  }
}
