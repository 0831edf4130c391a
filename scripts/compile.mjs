// Loads every module of the project once, so that Node keeps what it compiled (NODE_COMPILE_CACHE): the
// first `npm start` then takes half the time. Programs, which would begin to run, are left out.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './setup.mjs'

const folders = ['wire', 'broker', 'operator', 'client', 'cli', 'local']
const programs = new Set(['main.ts', 'start.ts', 'leash.ts', 'generate.ts'])

for (const folder of folders) {
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts') || programs.has(entry.name)) continue
    await import(pathToFileURL(join(entry.parentPath, entry.name)).href)
  }
}
