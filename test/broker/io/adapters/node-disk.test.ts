import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DiskError } from '../../../../broker/io/ports.ts'
import { NodeDisk } from '../../../../broker/io/adapters/node-disk.ts'
import { diskConformance } from '../disk.conformance.ts'

const adapter = join(import.meta.dirname, '../../../../broker/io/adapters/node-disk.ts')

diskConformance('Node', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
  const disk = await NodeDisk.open(folder)
  return {
    disk,
    run: async promise => await promise,
    close: async () => {
      await disk.close()
      rmSync(folder, { recursive: true })
    }
  }
})

let folder: string
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'millrace-disk-')) })
afterEach(() => { rmSync(folder, { recursive: true }) })

it('makes its folder', async () => {
  const disk = await NodeDisk.open(join(folder, 'a/b'))
  expect(statSync(join(folder, 'a/b')).isDirectory()).toBe(true)
  await disk.close()
})

it('cannot be opened where a file is', async () => {
  writeFileSync(join(folder, 'file'), '')
  await expect(NodeDisk.open(join(folder, 'file'))).rejects.toBeInstanceOf(DiskError)
})

it('takes no path out of its folder', async () => {
  const disk = await NodeDisk.open(folder)
  for (const path of ['/etc/passwd', '../x', 'a/../../x']) await expect(disk.open(path)).rejects.toThrow('relative')
  await disk.close()
})

it('is one process\' own until that process is dead, even of kill -9', async () => {
  const program = `
    import { NodeDisk } from ${JSON.stringify(adapter)}
    await NodeDisk.open(${JSON.stringify(folder)})
    console.log('open')
    setInterval(() => {}, 1000)`
  const other = spawn(process.execPath, ['--input-type=module', '-e', program],
    { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(other.stdout, 'data')
  await expect(NodeDisk.open(folder)).rejects.toMatchObject({ code: 'VOLUME_IN_USE' })
  other.kill('SIGSTOP')
  await expect(NodeDisk.open(folder)).rejects.toMatchObject({ code: 'VOLUME_IN_USE' })
  other.kill('SIGKILL')
  await once(other, 'exit')
  const disk = await NodeDisk.open(folder)
  await expect(NodeDisk.open(folder)).rejects.toMatchObject({ code: 'VOLUME_IN_USE' })
  await disk.close()
  await (await NodeDisk.open(folder)).close()
})
