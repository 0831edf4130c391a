// Changes the text of production files as they are loaded into this process, before their types are taken
// out. To be called before anything of them is imported.
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { relative } from 'node:path'
import type { Mutation } from './mutation.ts'
import { MutationError, mutate } from './mutation.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Returns a check that every file of the mutation was really loaded. */
export function load (mutation: Mutation): () => void {
  const files = new Set(mutation.edits.map(({ file }) => file))
  const loaded = new Set<string>()
  registerHooks({
    load (url, context, next) {
      const result = next(url, context)
      const file = url.startsWith('file:') ? relative(root, fileURLToPath(url)) : ''
      if (!files.has(file)) return result
      loaded.add(file)
      const text = typeof result.source === 'string' ? result.source : new TextDecoder().decode(result.source as Buffer)
      return { ...result, source: mutate(mutation, file, text) }
    }
  })
  return () => {
    for (const file of files) {
      if (!loaded.has(file)) throw new MutationError(`${mutation.name}: ${file} was not loaded`)
    }
  }
}
