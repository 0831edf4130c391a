// Writes docs/api from the docstrings of the client (typedoc.json). With --check it fails when the page is not
// current, or when something public has no docstring.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs/api/README.md')
const folder = mkdtempSync(join(tmpdir(), 'millrace-api-'))
const isCheck = process.argv.includes('--check')
try {
  const out = isCheck ? folder : join(root, 'docs/api')
  execFileSync(process.execPath, [join(root, 'node_modules/typedoc/bin/typedoc'), '--out', out, '--logLevel', 'Warn'],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (isCheck && readFileSync(join(folder, 'README.md'), 'utf8') !== readFileSync(page, 'utf8')) {
    throw new Error('docs/api is not current: node scripts/generate-api.mjs')
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
