// Writes docs/errors.md from wire/errors.ts and docs/limits.md from broker/limits.ts, so that the pages
// cannot drift from the code. With --check it fails when a page is not current.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import * as limits from '../broker/limits.ts'
import { errorTable } from '../wire/errors.ts'

const root = join(import.meta.dirname, '..')

const grpcNames = [
  'OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS',
  'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE',
  'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'
]

function errorsPage (): string {
  const rows = Object.entries(errorTable).map(([code, entry]) =>
    `| \`${code}\` | ${grpcNames[entry.grpc]} | ${entry.retriable ? 'yes' : 'no'} | ${entry.message} | ${entry.help} |`)
  return '# Errors\n\nThe closed table of `wire/errors.ts`: what the wire carries, and the `code` of the client\'s ' +
    'errors. Codes\nnever change their meaning. *Retriable*: the same request may succeed later without anybody ' +
    'changing it;\nproducers and consumers retry those by themselves. Written by `scripts/generate-docs.ts`.\n\n' +
    `| code | gRPC status | retriable | what happened | what to do |\n|---|---|---|---|---|\n${rows.join('\n')}\n`
}

/** 8388608 → 8 MiB, 86400000 → 24 h, by the unit in the name. */
function readable (name: string, value: number): string {
  if (/Bytes/.test(name)) {
    if (value % 1048576 === 0) return `${value / 1048576} MiB`
    if (value % 1024 === 0) return `${value / 1024} KiB`
    return `${value} B`
  }
  if (/Ms($|[A-Z])/.test(name)) {
    if (value % 3_600_000 === 0) return `${value / 3_600_000} h`
    if (value % 1000 === 0) return `${value / 1000} s`
    return `${value} ms`
  }
  return value.toLocaleString('en')
}

function limitsPage (): string {
  const file = join(root, 'broker/limits.ts')
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  const values = limits as unknown as Record<string, number>
  const rows: string[] = []
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue
    const name = (statement.declarationList.declarations[0]!.name as ts.Identifier).text
    if (values[name] === undefined) continue
    const comments = ts.getJSDocCommentsAndTags(statement)
      .map(tag => ts.getTextOfJSDocComment(tag.comment) ?? '').join(' ').replaceAll('\n', ' ')
    rows.push(`| \`${name}\` | ${readable(name, values[name])} | ${comments} |`)
  }
  return '# Limits\n\nEverything in a broker has a limit; all of them are in `broker/limits.ts`. Beyond one a ' +
    'request gets a typed\nerror ([errors](errors.md)) and loses nothing. Written by `scripts/generate-docs.ts`.\n\n' +
    `| limit | value | why |\n|---|---|---|\n${rows.join('\n')}\n`
}

let stale = false
for (const [page, text] of [['docs/errors.md', errorsPage()], ['docs/limits.md', limitsPage()]] as const) {
  const path = join(root, page)
  if (!process.argv.includes('--check')) {
    writeFileSync(path, text)
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${page} is not current: run node scripts/generate-docs.ts`)
    stale = true
  }
}
process.exit(stale ? 1 : 0)
