// Writes docs/errors.md, limits.md, metrics.md, cli.md, configuration.md and the chart's README from the code, so that
// the pages cannot drift.
// With --check it fails when a page is not current.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import ts from 'typescript'
import * as limits from '../broker/limits.ts'
import { metricTable } from '../broker/metrics.ts'
import { program } from '../cli/main.ts'
import { operatorMetrics } from '../operator/metrics.ts'
import { errorTable } from '../wire/errors.ts'
import { chartValues } from './chart-values.ts'
import { configurationPage } from './configuration-page.ts'

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

async function metricsPage (): Promise<string> {
  const none = (): Record<string, number> => ({})
  const operator = await operatorMetrics('', {
    queueDepth: none, watchSilenceSeconds: none, watchRestarts: none, objects: none, isLeader: () => false
  }).registry.getMetricsAsJSON()
  const own = operator.filter(({ name }) => name.startsWith('millrace_'))
  const row = ({ name, type, help }: { name: string, type: unknown, help: string }): string =>
    `| \`${name}\` | ${String(type)} | ${help} |`
  const table = (rows: readonly string[]): string => `| metric | type | meaning |\n|---|---|---|\n${rows.join('\n')}\n`
  return '# Metrics\n\nBrokers and operator serve `/metrics` (Prometheus), `/livez` and `/readyz` on port 9100; ' +
    'on a laptop on the\nports that `npm start` prints. Besides these, both give the process metrics of ' +
    '`prom-client` (`process_*`,\n`nodejs_*`). Written by `scripts/generate-docs.ts`.\n\n' +
    `## Broker\n\n${table(metricTable.map(row))}\n## Operator\n\n${table(own.map(row))}`
}

/** The words of every command that does something, and none for the program itself. */
function commandsOf (command: Command, words: readonly string[] = []): (readonly string[])[] {
  const own = words.length === 0 || command.commands.length === 0 ? [words] : []
  return [...own, ...command.commands.flatMap(each => commandsOf(each, [...words, each.name()]))]
}

function cliPage (): string {
  const sections = commandsOf(program()).map(command => {
    const help = execFileSync(process.execPath, [join(root, 'cli/main.ts'), ...command, '--help'], {
      encoding: 'utf8', env: { ...process.env, MILLRACE_BOOTSTRAP: '', KUBECONFIG: '' }
    })
    return `## millrace ${command.join(' ')}`.trimEnd() + `\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`
  })
  return '# The command line\n\n`bin/millrace` in a clone, or `npx millrace`. Data goes to stdout, notes (beginning ' +
    'with `%`) to stderr. What every\ncommand says with `--help`, written by `scripts/generate-docs.ts`.\n\n' +
    sections.join('\n')
}

function chartPage (): string {
  const page = readFileSync(join(root, 'scripts/chart-page.md'), 'utf8')
  const rows = chartValues().map(({ path, fallback, meaning }) => `| \`${path}\` | \`${fallback}\` | ${meaning} |`)
  return `${page}\n| value | default | |\n|---|---|---|\n${rows.join('\n')}\n`
}

const pages = [
  ['docs/errors.md', errorsPage()], ['docs/limits.md', limitsPage()], ['docs/metrics.md', await metricsPage()],
  ['docs/cli.md', cliPage()], ['docs/configuration.md', configurationPage()],
  ['charts/millrace/README.md', chartPage()]
] as const
let stale = false
for (const [page, text] of pages) {
  const path = join(root, page)
  if (!process.argv.includes('--check')) {
    writeFileSync(path, text)
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${page} is not current: run node scripts/generate-docs.ts`)
    stale = true
  }
}
process.exit(stale ? 1 : 0)
