// One process per data folder: a file with the owner's pid and, so that a pid used anew is not taken
// for the old owner, the time at which that process started.
import { linkSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Ticks since boot at which a process started; '' where /proc does not tell. */
function startedAt (pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function ownerOf (path: string): { pid: number, started: string } | undefined {
  try {
    const [pid = '', started = ''] = readFileSync(path, 'utf8').trim().split(' ')
    return { pid: Number(pid), started }
  } catch {
    return undefined
  }
}

/** Takes the folder for this process. Throws when another one, alive, has it. Returns the release. */
export function lockFolder (folder: string): () => void {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'kube.lock')
  const own = `${path}.${process.pid}`
  writeFileSync(own, `${process.pid} ${startedAt(process.pid)}\n`)
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        linkSync(own, path) // Atomic, with its content: no reader sees an empty lock.
        return () => { rmSync(path, { force: true }) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const owner = ownerOf(path)
      if (owner !== undefined && isAlive(owner.pid) && startedAt(owner.pid) === owner.started) {
        throw new Error(`${folder} is in use by another process (pid ${owner.pid})`)
      }
      rmSync(path, { force: true })
    }
    throw new Error(`${folder} is in use by another process`)
  } finally {
    unlinkSync(own)
  }
}
