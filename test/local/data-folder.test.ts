import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDataFolder } from '../../local/data-folder.ts'
import { StartError } from '../../local/start-error.ts'

let folder: string
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'millrace-data-')) })
afterEach(() => { rmSync(folder, { recursive: true }) })

/** Every file and its text, but the lock. */
function contents (path: string): Record<string, string> {
  return Object.fromEntries(readdirSync(path, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.name.startsWith('.lock'))
    .map(entry => [entry.name, readFileSync(join(entry.parentPath, entry.name), 'utf8')]))
}

function refusal (path: string, fresh = false): string {
  try {
    openDataFolder(path, '0.1.0', fresh).release()
  } catch (error) {
    if (error instanceof StartError) return error.message
    throw error
  }
  throw new Error('it was not refused')
}

describe('the data folder', () => {
  it('is made, or taken when it is empty, and opened again', () => {
    for (const path of [join(folder, 'a/b'), folder]) {
      openDataFolder(path, '0.1.0', false).release()
      writeFileSync(join(path, 'data'), 'kept')
      openDataFolder(path, '0.1.0', false).release()
      expect(contents(path)).toMatchObject({ 'millrace.json': '{"format":1,"version":"0.1.0"}\n', data: 'kept' })
      rmSync(join(folder, 'a'), { recursive: true, force: true })
    }
  })

  it('begins anew', () => {
    openDataFolder(folder, '0.1.0', true).release()
    mkdirSync(join(folder, 'volumes/x'), { recursive: true })
    writeFileSync(join(folder, 'volumes/x/data'), 'old')
    openDataFolder(folder, '0.2.0', true).release()
    expect(contents(folder)).toEqual({ 'millrace.json': '{"format":1,"version":"0.2.0"}\n' })
  })

  it('is one process\' own', () => {
    const mine = openDataFolder(folder, '0.1.0', false)
    writeFileSync(join(folder, 'data'), 'mine')
    expect(refusal(folder)).toContain('is in use by another process')
    expect(refusal(folder, true)).toContain('is in use by another process')
    expect(contents(folder).data).toBe('mine')
    mine.release()
    openDataFolder(folder, '0.1.0', false).release()
  })

  it('is left alone when somebody else\'s files are in it', () => {
    writeFileSync(join(folder, 'thesis.txt'), 'ten years')
    expect(refusal(folder)).toContain('neither empty nor the data folder of a cluster')
    expect(refusal(folder, true)).toContain('neither empty nor the data folder of a cluster')
    expect(readdirSync(folder)).toEqual(['thesis.txt'])
  })

  it.each(['{"format":2}', '{}', 'null', 'not JSON'])('of another version (%s) is left alone', mark => {
    writeFileSync(join(folder, 'millrace.json'), mark)
    writeFileSync(join(folder, 'data'), 'old')
    expect(refusal(folder)).toContain('has data of another version')
    expect(contents(folder)).toEqual({ 'millrace.json': mark, data: 'old' })
    openDataFolder(folder, '0.1.0', true).release()
    expect(existsSync(join(folder, 'data'))).toBe(false)
  })

  it.runIf(existsSync('/proc/self'))('cannot be where no folder can be made', () => {
    expect(refusal('/proc/millrace')).toContain('/proc/millrace cannot be used: ')
  })

  it('cannot be a file', () => {
    writeFileSync(join(folder, 'file'), '')
    expect(refusal(join(folder, 'file'))).toContain('is not a folder')
    expect(refusal(join(folder, 'file/below'))).toContain('is not a folder')
  })
})
