import { mkdirSync, mkdtempSync, symlinkSync, copyFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { program } from '../../cli/main.ts'
import { millrace, root } from './millrace.ts'

/** Every command and every group of commands, by the words that call it. */
function wordsOf (command: Command, words: string[] = []): string[][] {
  return [words, ...command.commands.flatMap(each => wordsOf(each, [...words, each.name()]))]
}

const commands = wordsOf(program())

describe('help', () => {
  const named = commands.map(words => [words.join(' '), words] as const)

  it.each(named)('of millrace %s begins with examples', (_name, words) => {
    let command = program()
    for (const word of words) command = command.commands.find(each => each.name() === word)!
    let text = ''
    command.configureOutput({ writeOut: part => { text += part } })
    command.outputHelp()
    expect(text).toMatch(/^Examples:\n {2}\$ .*millrace /)
    if (words.length === 0) expect(text).toContain('Exit codes:')
  })

  it('is printed by the process, with exit code 0', async () => {
    const { code, stdout, stderr } = await millrace(['consume', '--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Examples:\n {2}\$ millrace consume orders\n/)
  })
})

describe('wrong usage', () => {
  it.each([
    [['nonsense'], /unknown command/],
    [['consume'], /missing required argument/],
    [['consume', 'x', '--nonsense'], /unknown option/],
    [['consume', 'x', '-o', 'middle'], /start, end, an offset/],
    [['consume', 'x', '-f', '%q'], /stands for nothing/],
    [['consume', 'x', '-f', '%v', '--json'], /cannot be used with/],
    [['produce', 'x', '-b', 'nowhere'], /'nowhere' is not host:port/],
    [['topic', 'create', 'x', '--partitions', '0'], /at least 1/]
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await millrace(args)
    expect(stderr).toMatch(message)
    expect(stderr.startsWith('% error: ')).toBe(true)
    expect([code, stdout]).toEqual([2, ''])
    // Notes begin with %, each of them.
    for (const line of stderr.trimEnd().split('\n')) expect(line).toMatch(/^%/)
  })
})

describe('bin/millrace', () => {
  it('works through a symbolic link, from another folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
    symlinkSync(join(root, 'bin/millrace'), join(folder, 'one'))
    symlinkSync('one', join(folder, 'two'))
    const { code, stdout } = await millrace(['--version'], { command: join(folder, 'two'), cwd: folder })
    expect([code, stdout]).toEqual([0, '0.1.0\n'])
  })

  it('names the command to run when it is not set up', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
    mkdirSync(join(folder, 'bin'))
    copyFileSync(join(root, 'bin/millrace'), join(folder, 'bin/millrace'))
    const { code, stderr } = await millrace(['--version'], { command: join(folder, 'bin/millrace') })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^% error: millrace is not set up yet; run: .*npm ci.*\n$/)
  })
})

describe('nobody there', () => {
  it.each([
    ['consume', 'x'], ['produce', 'x'], ['topic', 'list'], ['topic', 'describe', 'x']
  ])('%s %s waits for brokers, says so, and gives up', async (...args) => {
    const { code, stdout, stderr } = await millrace([...args, '--timeout', '1.5'])
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/^% waiting for .*127\.0\.0\.1:1.*\n(% waiting.*\n)*% error: .*127\.0\.0\.1:1.*\n$/)
  })

  it('no kubeconfig is one line', async () => {
    const { code, stderr } = await millrace(['cluster', 'describe'], { env: { KUBECONFIG: '/nonexistent' } })
    expect(code).toBe(1)
    expect(stderr).toBe('% error: there is no file /nonexistent (KUBECONFIG)\n')
  })
})
