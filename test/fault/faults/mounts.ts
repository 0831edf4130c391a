// Volumes of their own for brokers that shall run out of space: file systems in files, on loop devices.
import { mkdirSync, rmdirSync, statfsSync, openSync, closeSync, writeSync, rmSync, truncateSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { podName } from './world.ts'

/** The broker keeps a reserve of 256 MiB (broker/log/settings.ts); this leaves it room to work. */
const imageBytes = 1024 * 1024 * 1024
const filler = 'filler'

export class Volumes {
  readonly #folder: string
  readonly #mounted = new Map<number, string>()

  /** @param folder of the run */
  constructor (folder: string) {
    this.#folder = folder
  }

  /** Before the cluster starts. */
  mount (brokers: number): void {
    mkdirSync(join(this.#folder, 'images'), { recursive: true })
    for (let broker = 0; broker < brokers; broker++) {
      const image = join(this.#folder, `images/${podName(broker)}.ext4`)
      const path = join(this.#folder, `volumes/data-${podName(broker)}`)
      mkdirSync(path, { recursive: true })
      closeSync(openSync(image, 'w'))
      truncateSync(image, imageBytes)
      // -m 0: nothing is kept for root, whom the brokers run as here.
      run('mkfs.ext4', ['-q', '-m', '0', image])
      run('mount', ['-o', 'loop', image, path])
      this.#mounted.set(broker, path)
      rmdirSync(join(path, 'lost+found'))
    }
  }

  has (broker: number): boolean { return this.#mounted.has(broker) }

  /** Takes all the space that is left. */
  fill (broker: number): void {
    const path = this.#mounted.get(broker)!
    const { bavail, bsize } = statfsSync(path)
    const file = join(path, filler)
    try {
      run('fallocate', ['-l', String(Math.max(bsize, (bavail - 16) * bsize)), file])
    } catch {
      // What the broker writes meanwhile makes it fail at the end: the rest is filled below.
    }
    const descriptor = openSync(file, 'a')
    const block = Buffer.alloc(4096)
    try {
      for (;;) writeSync(descriptor, block)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(descriptor)
    }
  }

  empty (broker: number): void {
    const path = this.#mounted.get(broker)
    if (path !== undefined) rmSync(join(path, filler), { force: true })
  }

  unmount (): void {
    for (const [broker, path] of this.#mounted) {
      run('umount', ['-l', path])
      this.#mounted.delete(broker)
    }
  }
}

function run (command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
