// Processes that ended by an error of their own: Node prints the error, a trace and its version at the end.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export class Crashes {
  readonly #folder: string
  readonly #known = new Set<string>()

  /** @param folder of the logs */
  constructor (folder: string) {
    this.#folder = folder
  }

  /** Those that were not told before, each with the line that says why. */
  news (): string[] {
    if (!existsSync(this.#folder)) return []
    return readdirSync(this.#folder).flatMap(name => {
      const lines = readFileSync(join(this.#folder, name), 'utf8').split('\n')
      return lines.flatMap((line, index) => {
        if (!/^\S+ Node\.js v\d/.test(line) || this.#known.has(line)) return []
        this.#known.add(line)
        const reason = lines.slice(Math.max(0, index - 40), index).reverse()
          .find(each => /^\S+ \S*Error\b/.test(each))
        return [`${name.replace(/\.log.*/, '')} crashed: ${reason ?? line}`]
      })
    })
  }
}
