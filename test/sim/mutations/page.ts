// The table of docs/proof.md.
import type { Attempt, Violation } from './finders.ts'
import type { Mutation } from './mutation.ts'

export interface Recorded extends Attempt, Violation {
  readonly seconds: number
}

const begin = '<!-- mutations: written by npm run mutations -->'
const end = '<!-- end of mutations -->'

export function describeFound ({ finder, seed }: Attempt): string {
  if (finder === 'seeds') return `seed ${seed}`
  return seed === 0 ? finder : `${finder}, seed ${seed}`
}

function row (mutation: Mutation, found: Recorded | undefined): string {
  const cells = found === undefined
    ? [`not found yet: ${mutation.open ?? ''}`, '', '']
    : [describeFound(found), String(found.seconds), classOf(found)]
  const without = mutation.note === undefined ? mutation.without : `${mutation.without} (${mutation.note})`
  return `| \`${mutation.name}\` | ${[without, ...cells].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function classOf ({ kind, message }: Violation): string {
  if (kind === 'assertion') return message === '' ? kind : `assertion: ${message}`
  // An error that nobody expects: what it says tells more than that.
  if (kind === 'unhandled rejection' || kind === 'uncaught error' || kind === 'fatal error') {
    return message.replaceAll(/(in [\w.]+: |SimFailure: |AssertionError: )/g, '').replace(/;.*/, '')
  }
  return kind
}

/** The table, by heading of docs/replication.md. */
function table (mutations: readonly Mutation[], found: Readonly<Record<string, Recorded>>): string {
  const rules = [...new Set(mutations.map(({ rule }) => rule))]
  const count = mutations.filter(({ name }) => found[name] !== undefined).length
  return [`${count} of ${mutations.length} mutants found.`, ...rules.map((rule) => [
    `### ${rule}`, '',
    '| mutant | without this rule | found by | CPU s | class |', '|---|---|---|---|---|',
    ...mutations.filter((mutation) => mutation.rule === rule).map((mutation) => row(mutation, found[mutation.name]))
  ].join('\n'))].join('\n\n')
}

export function replaceTable (page: string, mutations: readonly Mutation[],
  found: Readonly<Record<string, Recorded>>): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error('docs/proof.md has no place for the table')
  return `${page.slice(0, from + begin.length)}\n${table(mutations, found)}\n${page.slice(to)}`
}
