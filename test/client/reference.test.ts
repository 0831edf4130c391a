// docs/api is what the docstrings of the client say, and each public class, method and option type has one, and so has
// each property of an option and of what callbacks are given.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')

it('is current and leaves nothing out', { timeout: 240_000 }, () => {
  execFileSync(process.execPath, [join(root, 'scripts/generate-api.mjs'), '--check'], { cwd: root, stdio: 'pipe' })
})

/** `ConsumerOptions.group`: properties of the interfaces of a file that say nothing of themselves. */
function silent (file: string): string[] {
  const tree = ts.createSourceFile(file, readFileSync(join(root, 'client', file), 'utf8'), ts.ScriptTarget.Latest, true)
  const isShown = ({ name, modifiers }: ts.InterfaceDeclaration): boolean =>
    published.has(name.text) && modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true &&
    (file.endsWith('-options.ts') || name.text.endsWith('Options'))
  return tree.statements.filter(ts.isInterfaceDeclaration).filter(isShown).flatMap(declaration =>
    declaration.members.filter(member => ts.getJSDocCommentsAndTags(member).length === 0)
      .map(member => `${declaration.name.text}.${member.name?.getText() ?? '?'}`))
}

const index = readFileSync(join(root, 'client/index.ts'), 'utf8')
const published = new Set(index.match(/\b[A-Z]\w+\b/g))

it('has a docstring for each property of an option, and of what is in *-options.ts', () => {
  const files = readdirSync(join(root, 'client')).filter(name => name.endsWith('.ts'))
  expect(files.filter(name => name.endsWith('-options.ts'))).not.toEqual([])
  expect(files.flatMap(silent)).toEqual([])
})
