// A lock on a folder that one process at a time holds, and that the kernel takes back when the process
// dies, however it dies. Node has no flock; SQLite, which is part of Node, takes such a lock on its file
// (https://www.sqlite.org/lockingv3.html). A file with a pid in it would not do: pids are used again, in
// containers every time.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export const lockName = '.lock'
const sqliteBusy = 5

export class FolderLock {
  readonly #database: DatabaseSync

  private constructor (database: DatabaseSync) {
    this.#database = database
  }

  /** Undefined when another process holds it; throws when the folder cannot be written to. */
  static take (folder: string): FolderLock | undefined {
    const database = new DatabaseSync(join(folder, lockName), { timeout: 0 })
    try {
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    } catch (error) {
      database.close()
      if ((error as { errcode?: number }).errcode === sqliteBusy) return undefined
      throw error
    }
    return new FolderLock(database)
  }

  /** Idempotent. */
  release (): void {
    if (this.#database.isOpen) this.#database.close()
  }
}
