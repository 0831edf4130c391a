// docs/api is what the docstrings of the client say, and each public class, method and option type has one.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'vitest'

const root = join(import.meta.dirname, '../..')

it('is current and leaves nothing out', { timeout: 240_000 }, () => {
  execFileSync(process.execPath, [join(root, 'scripts/generate-api.mjs'), '--check'], { cwd: root, stdio: 'pipe' })
})
