import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { NodeDisk } from '../../../broker/io/adapters/node-disk.ts'
import { LogFiles } from '../../../broker/log/log-files.ts'

// A consumer that came back after more was written found its batches damaged: the handle that was kept open
// for reading still had the size of the first read.
it('reads what was written to a file after its handle was opened', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-log-files-'))
  mkdirSync(join(folder, 'topics'))
  const disk = await NodeDisk.open(folder)
  const files = new LogFiles(disk)
  const part = (value: number): Uint8Array => new Uint8Array(1_000).fill(value)
  await files.writeOnce('topics/a.log', [part(1)], 0)
  expect(await files.read('topics/a.log', 0, 4_096)).toEqual(part(1))
  await files.writeOnce('topics/a.log', [part(2)], 1_000)
  expect(await files.read('topics/a.log', 1_000, 1_000)).toEqual(part(2))
  expect((await files.read('topics/a.log', 500, 4_096)).length).toBe(1_500)
  expect((await files.read('topics/a.log', 3_000, 10)).length).toBe(0)
  await files.close()
  await disk.close()
  rmSync(folder, { recursive: true })
})
