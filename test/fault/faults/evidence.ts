// What a failed run leaves for who was not there: the machine that it ran on may be gone with its folder.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const linesShown = 12
const lineCharactersMax = 300
/** What pino calls a warning or worse, and what is no line of pino's: a crash. */
const complaint = /"level":[456]0\b/
const line = /^\S+ \{"level"/

/** What was done to whom last, how processes ended, and what everybody complained of, by file. */
export function evidence (folder: string): string {
  const files = ['logs', 'histories'].map(name => join(folder, name)).filter(existsSync).flatMap(path =>
    readdirSync(path).filter(file => file.includes('.log')).sort().map(file => join(path, file)))
  const struck = ['faults.log', 'ends.log'].map(name => join(folder, name)).filter(existsSync).map(file =>
    [`--- ${file.slice(folder.length + 1)}`, ...readFileSync(file, 'utf8').trim().split('\n').slice(-linesShown)]
      .join('\n'))
  return [...struck, ...files.flatMap(file => {
    const complaints = readFileSync(file, 'utf8').split('\n')
      .filter(text => text !== '' && (complaint.test(text) || !line.test(text)))
    return complaints.length === 0 ? [] : [
      `--- ${file.slice(folder.length + 1)}`,
      ...complaints.slice(-linesShown).map(text => text.slice(0, lineCharactersMax))
    ]
  })].join('\n')
}
