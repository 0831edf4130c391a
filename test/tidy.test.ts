// The house rules as a test (docs/decisions/0003-house-rules.md). A rule that makes code worse is changed
// here, with a reason, not bent elsewhere.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const linesMax = 400
const functionLinesMax = 70
const columnsMax = 120
const generated = new Set(['wire/messages.ts', 'wire/adapters/descriptors.ts'])

const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
  { cwd: root, encoding: 'utf8' }).split('\0').filter(name => name !== '' && existsSync(join(root, name)))
const sources = files.filter(name => name.endsWith('.ts') && !generated.has(name))
const production = sources.filter(name => /^(wire|broker|client|operator|cli|local)\//.test(name))
const text = (name: string): string => readFileSync(join(root, name), 'utf8')
const trees = new Map(sources.map(name =>
  [name, ts.createSourceFile(name, text(name), ts.ScriptTarget.Latest, true)]))

function importsOf (name: string): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const isImport = (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)
    if (isImport) found.push((node.moduleSpecifier as ts.StringLiteral).text)
    ts.forEachChild(node, visit)
  }
  visit(trees.get(name)!)
  return found
}

/** Repository path of a relative import. */
function resolved (name: string, specifier: string): string {
  return relative(root, join(root, dirname(name), specifier))
}

/** Imports that exist at run time: `import type` makes no cycle. */
function runtimeImportsOf (name: string): string[] {
  return trees.get(name)!.statements.filter(ts.isImportDeclaration)
    .filter(node => node.importClause === undefined || node.importClause.phaseModifier !== ts.SyntaxKind.TypeKeyword)
    .map(node => (node.moduleSpecifier as ts.StringLiteral).text)
    .filter(specifier => specifier.startsWith('.')).map(specifier => resolved(name, specifier))
}

function offenders (names: readonly string[], problem: (name: string) => string | undefined): string[] {
  return names.flatMap(name => {
    const found = problem(name)
    return found === undefined ? [] : [`${name}: ${found}`]
  })
}

describe('size', () => {
  it(`keeps files within ${linesMax} lines`, () => {
    expect(offenders(sources, name => {
      const lines = text(name).split('\n').length - 1
      return lines > linesMax ? `${lines} lines` : undefined
    })).toEqual([])
  })

  it(`keeps lines within ${columnsMax} columns`, () => {
    expect(offenders(sources, name => {
      const index = text(name).split('\n').findIndex(line => line.length > columnsMax)
      return index >= 0 ? `line ${index + 1}` : undefined
    })).toEqual([])
  })

  it(`keeps functions within ${functionLinesMax} lines`, () => {
    expect(production.flatMap(name => {
      const tree = trees.get(name)!
      const found: string[] = []
      const visit = (node: ts.Node): void => {
        if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
          const from = tree.getLineAndCharacterOfPosition(node.getStart()).line
          const to = tree.getLineAndCharacterOfPosition(node.end).line
          if (to - from + 1 > functionLinesMax) found.push(`${name}:${from + 1}: ${to - from + 1} lines`)
        }
        ts.forEachChild(node, visit)
      }
      visit(tree)
      return found
    })).toEqual([])
  })
})

// rpc → partition | controller | session | group → log → io, never the other way. A contract.ts and the
// files at the root of broker/ (limits, row, assert ...) may be used from everywhere.
const layers: Record<string, readonly string[]> = {
  'broker/rpc': ['broker/partition', 'broker/controller', 'broker/session', 'broker/group', 'broker/log', 'broker/io'],
  'broker/partition': ['broker/log', 'broker/io'],
  'broker/session': ['broker/controller', 'broker/log', 'broker/io'],
  'broker/controller': ['broker/io'],
  'broker/group': ['broker/io'],
  'broker/log': ['broker/io'],
  'broker/io': []
}
const composition = new Set(['broker/main.ts', 'broker/node.ts', 'broker/metrics.ts'])

function layerProblem (name: string, target: string): string | undefined {
  const top = (path: string): string => path.split('/')[0]!
  const folder = (path: string): string => path.split('/').slice(0, 2).join('/')
  if (top(name) === 'wire' && top(target) !== 'wire') return `wire imports ${target}`
  if (top(name) === 'client' && !['client', 'wire'].includes(top(target))) return `client imports ${target}`
  if (top(name) === 'cli' && ['broker', 'local'].includes(top(target))) return `cli imports ${target}`
  if (top(name) === 'operator' && ['broker', 'client', 'cli', 'local'].includes(top(target))) {
    return `operator imports ${target}`
  }
  if (top(name) !== 'broker' || composition.has(name)) return undefined
  if (!['broker', 'wire'].includes(top(target))) return `broker imports ${target}`
  const from = layers[folder(name)]
  const shared = target.split('/').length === 2 || target.endsWith('/contract.ts')
  if (from === undefined || shared || folder(target) === folder(name)) return undefined
  return from.includes(folder(target)) ? undefined : `${folder(name)} imports ${target}`
}

describe('structure', () => {
  it('follows the layer rule', () => {
    expect(production.flatMap(name => offenders([name], () =>
      importsOf(name).filter(specifier => specifier.startsWith('.'))
        .map(specifier => layerProblem(name, resolved(name, specifier)))
        .find(problem => problem !== undefined)))).toEqual([])
  })

  it('keeps core code off the outside world', () => {
    const core = production.filter(name => /^(wire|client|broker)\//.test(name) && !name.includes('/adapters/') &&
      !['broker/main.ts', 'broker/http.ts', 'broker/metrics.ts', 'client/index.ts'].includes(name))
    expect(offenders(core, name => importsOf(name).find(specifier => specifier.startsWith('node:')))).toEqual([])
  })

  it('has no import cycle', () => {
    const done = new Set<string>()
    const cycles: string[] = []
    const visit = (name: string, path: string[]): void => {
      if (path.includes(name)) cycles.push([...path.slice(path.indexOf(name)), name].join(' → '))
      if (done.has(name) || path.includes(name) || !trees.has(name)) return
      for (const next of runtimeImportsOf(name)) visit(next, [...path, name])
      done.add(name)
    }
    for (const name of production) visit(name, [])
    expect(cycles).toEqual([])
  })

  it('has a README in every folder of source, two levels deep', () => {
    // Deeper folders are explained by the page of the folder that they divide.
    const folders = new Set(production.map(name => name.split('/').slice(0, -1).slice(0, 2).join('/'))
      .filter(folder => !folder.endsWith('adapters')))
    expect([...folders].filter(folder => !existsSync(join(root, folder, 'README.md')))).toEqual([])
  })

  it('imports TypeScript files by their name', () => {
    expect(offenders(sources, name => importsOf(name).find(specifier =>
      specifier.startsWith('.') && !/\.(ts|json|mjs)$/.test(specifier)))).toEqual([])
  })
})

describe('words', () => {
  const prose = files.filter(name => /\.(ts|mjs|js|md|ya?ml|json|proto|txt)$|^bin\/|^\.ci\//.test(name) &&
    name !== 'package-lock.json' && name !== 'test/tidy.test.ts')

  it('leaves nothing half done behind', () => {
    expect(offenders(prose, name =>
      /\b(TODO|FIXME|XXX)\b|\b(it|test|describe)\.(only|skip|todo)\b/.exec(text(name))?.[0])).toEqual([])
  })

  it('names no machine', () => {
    expect(offenders(prose, name => /(^|[\s'"`(])\/(work|root|farm)\//m.exec(text(name))?.[0])).toEqual([])
  })

  it('locks packages without addresses', () => {
    expect(text('package-lock.json')).not.toContain('"resolved": "http')
  })

  it('links to pages that exist', () => {
    const pages = files.filter(name => name.endsWith('.md'))
    // Patterns in code look like links.
    expect(pages.flatMap(name => [...text(name).replaceAll(/`[^`\n]*`/g, '').matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
      .map(match => match[1]!).filter(link => !/^[a-z]+:/.test(link))
      .filter(link => !existsSync(join(root, dirname(name), link)))
      .map(link => `${name}: ${link}`))).toEqual([])
  })
})

describe('generated files', () => {
  const run = (script: string): string => execFileSync(process.execPath, [join(root, script), '--check'],
    { cwd: root, encoding: 'utf8', stdio: 'pipe' })

  it('has current messages', () => { run('scripts/generate-messages.ts') })

  it('has current CRDs', () => { run('scripts/generate-crds.ts') })

  it('has current dashboards', () => { run('scripts/generate-dashboards.ts') })

  it('has current pages of errors and limits', () => { run('scripts/generate-docs.ts') })
})

describe('dependencies', () => {
  it('gives a reason for each in docs/decisions', () => {
    const manifest = JSON.parse(text('package.json')) as Record<string, Record<string, string>>
    const decisions = files.filter(name => name.startsWith('docs/decisions/')).map(text).join('\n')
    const names = [...Object.keys(manifest.dependencies!), ...Object.keys(manifest.devDependencies!)]
    expect(names.filter(name => !decisions.includes(`\`${name}\``))).toEqual([])
  })
})

describe('the two versions of Kubernetes', () => {
  const minorIn = (name: string): number => Number(/k8s\.io\/kubernetes v1\.(\d+)\.\d+/.exec(text(name))?.[1])

  it('are two minors apart', () => {
    expect(minorIn('test/kubernetes/go.mod') - minorIn('test/kubernetes/previous/go.mod')).toBe(2)
  })

  it('are those of the compatibility table', () => {
    for (const name of ['test/kubernetes/go.mod', 'test/kubernetes/previous/go.mod']) {
      const version = /k8s\.io\/kubernetes v(\S+)/.exec(text(name))?.[1]
      expect(text('docs/compatibility.md'), name).toContain(`| ${version} |`)
    }
  })
})
