// What the pages tell people to type: every `millrace` command has the words, options and arguments that the command
// line knows; npm scripts and files are there.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { program } from '../cli/main.ts'

const root = join(import.meta.dirname, '..')
const pages = execFileSync('git', ['ls-files', '-z', '*.md', 'charts/*/templates/NOTES.txt'], { cwd: root })
  .toString().split('\0').filter(name => name !== '' && !name.startsWith('docs/api/'))
const text = (page: string): string => readFileSync(join(root, page), 'utf8')

interface Block { readonly page: string, readonly language: string, readonly body: string }

const blocks: readonly Block[] = pages.flatMap(page =>
  [...text(page).matchAll(/^ *```(\w*)\n([^]*?)^ *```$/gm)]
    .map(([, language = '', body = '']) => ({ page, language, body })))

/** Words of a shell line up to what ends the command; quotes keep words together. */
function wordsOf (line: string): string[] {
  const words: string[] = []
  for (const [word] of line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)) {
    if (/^(?:[|&;]+|\d?[<>].*|#.*)$/.test(word)) break
    words.push(word)
  }
  return words
}

/** The arguments of each call of millrace. */
function callsIn (line: string): string[][] {
  const calls = line.matchAll(/(?:^|[\s$(`])(?:kubectl |\S*bin\/)?millrace(?= [a-z-])(?! is\b)([^`]*)/g)
  return [...calls].map(([, rest = '']) => wordsOf(rest))
}

const commands: readonly (readonly [string, readonly string[]])[] = [
  ...blocks.filter(({ language }) => ['sh', 'bash', '', 'console'].includes(language)).flatMap(({ page, body }) =>
    body.replaceAll(/\\\n\s*/g, ' ').split('\n')
      .filter(line => /^\s*(?:\$ |\w+=\S+ |.*\| *|kubectl |\S*bin\/)?(?:kubectl |\S*bin\/)?millrace [a-z-]/.test(line))
      .flatMap(callsIn).map(call => [page, call] as const)),
  ...pages.flatMap(page => [...text(page).replaceAll(/```[^]*?```/g, '').matchAll(/`((?:kubectl )?millrace [^`]+)`/g)]
    .flatMap(([, code = '']) => callsIn(code.replaceAll('\n', ' '))).map(call => [page, call] as const))
]

/** Placeholders are arguments too; in running text they may be left out. */
function problemWith (words: readonly string[]): string | undefined {
  let command: Command = program()
  const args: string[] = []
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    const inner = args.length === 0 ? command.commands.find(each => each.name() === word) : undefined
    if (inner !== undefined) {
      command = inner
    } else if (/^--?[a-z]/.test(word)) {
      const [name] = word.split('=') as [string]
      if (name === '--help' || name === '--version') continue
      const option = command.options.find(each => each.long === name || each.short === name)
      if (option === undefined) return `${command.name()} has no ${name}`
      if ((option.required || option.optional) && !word.includes('=')) index++
    } else {
      args.push(word)
    }
  }
  const names = (word: string): string[] => word.split('|')
  if (command.commands.length > 0 && args.length > 0) {
    // `millrace partition list|move` names several.
    const unknown = names(args[0]!).filter(word => !command.commands.some(each => each.name() === word))
    return unknown.length > 0 && /^[a-z-]+$/.test(unknown[0]!) ? `no command ${unknown[0]}` : undefined
  }
  const { registeredArguments: known } = command
  if (args.length > known.length && known.at(-1)?.variadic !== true) return `too many arguments: ${args.join(' ')}`
  return undefined
}

it.each(['README.md', 'SECURITY.md', 'docs/guarantees.md', 'docs/install.md', 'charts/millrace/README.md',
  'charts/millrace/templates/NOTES.txt'])('%s says plaintext, unauthenticated', page => {
  expect(text(page)).toMatch(/plaintext/i)
  expect(text(page)).toMatch(/unauthenticated|nobody is\s+authenticated|no identities/i)
})

describe('commands', () => {
  it('are as the command line has them', () => {
    expect(commands.length).toBeGreaterThan(60)
    expect(commands.flatMap(([page, words]) => {
      const problem = problemWith(words)
      return problem === undefined ? [] : [`${page}: millrace ${words.join(' ')}: ${problem}`]
    })).toEqual([])
  })

  it('a wrong one would be seen', () => {
    expect(problemWith(['topic', 'make', 'orders'])).toBe('no command make')
    expect(problemWith(['broker', 'replace-volume', '2', '--force'])).toBe('replace-volume has no --force')
    expect(problemWith(['plan', '-f', 'a.yaml', 'b'])).toBe('too many arguments: b')
  })

  it('of npm are in package.json', () => {
    const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> }
    const missing = pages.flatMap(page => [...text(page).matchAll(/npm run ([a-z:-]+)/g)]
      .filter(([, name]) => scripts[name!] === undefined).map(([call]) => `${page}: ${call}`))
    expect(missing).toEqual([])
  })

  it('name files that are there', () => {
    const missing = blocks.filter(({ language }) => language === 'sh').flatMap(({ page, body }) =>
      [...body.matchAll(/(?<![\w/.-])(?:examples|charts|crds|bin)\/[\w./-]+/g)]
        .filter(([path]) => !existsSync(join(root, path))).map(([path]) => `${page}: ${path}`))
    expect(missing).toEqual([])
  })
})
