import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { PodLog } from '../../../local/pods/pod-log.ts'
import type { LogOptions } from '../../../local/kube/api.ts'

let folder: string
let log: PodLog
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-log-'))
  log = new PodLog(join(folder, 'logs/events-0.log'))
})
afterEach(() => {
  log.close()
  rmSync(folder, { recursive: true })
})

const say = (text: string): void => { log.write(Buffer.from(text)) }

async function read (options: Partial<LogOptions> = {}): Promise<string> {
  let text = ''
  const signal = new AbortController().signal
  const read = log.read({ follow: false, previous: false, timestamps: false, signal, ...options })
  for await (const each of read) text += each
  return text
}

it('gives back lines, however they came', async () => {
  say('one\ntw')
  say('o\n\nthree')
  expect(await read()).toBe('one\ntwo\n\nthree\n')
  expect(await read({ tailLines: 2 })).toBe('\nthree\n')
  expect(await read({ tailLines: 0 })).toBe('')
  expect(await read({ limitBytes: 6 })).toBe('one\ntw')
  expect(await read({ sinceSeconds: 60 })).toBe('one\ntwo\n\nthree\n')
  expect(await read({ timestamps: true, tailLines: 1 })).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z three\n$/)
})

it('keeps the log of the process before', async () => {
  expect(await read({ previous: true })).toBe('')
  say('first\n')
  log.rotate()
  expect(await read()).toBe('')
  say('second\n')
  expect(await read({ previous: true })).toBe('first\n')
  log.rotate()
  log.rotate()
  expect(await read({ previous: true })).toBe('second\n')
})

it('goes on with what is there', async () => {
  say('before\n')
  log.close()
  log = new PodLog(join(folder, 'logs/events-0.log'))
  say('after\n')
  expect(await read()).toBe('before\nafter\n')
})

it('is bounded', async () => {
  const line = `${'x'.repeat(1_000)}\n`
  for (let count = 0; count < 9_000; count++) say(line)
  say('last\n')
  const sizes = readdirSync(join(folder, 'logs')).map(name => statSync(join(folder, 'logs', name)).size)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(4 * 1024 * 1024)
  expect(sizes).toHaveLength(2)
  expect((await read()).endsWith(`${line}last\n`)).toBe(true)
  say('y'.repeat(100_000))
  expect(await read({ tailLines: 1 })).toContain('y')
})

it('is followed until the reader goes', async () => {
  say('before\n')
  const reader = new AbortController()
  const seen: string[] = []
  const done = (async () => {
    const options = { follow: true, previous: false, timestamps: false, signal: reader.signal }
    for await (const each of log.read(options)) {
      seen.push(each)
      if (each === 'end\n') reader.abort()
    }
  })()
  await new Promise(resolve => setImmediate(resolve))
  say('between\n')
  log.rotate()
  say('end\n')
  await done
  expect(seen).toEqual(['before\n', 'between\n', 'end\n'])
})
