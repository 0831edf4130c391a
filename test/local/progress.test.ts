import { expect, it } from 'vitest'
import { Progress } from '../../local/progress.ts'

function terminal (isTTY: boolean): { isTTY: boolean, columns: number, text: string, write (text: string): void } {
  return { isTTY, columns: 40, text: '', write (text) { this.text += text } }
}

it('is a line for each news where nobody watches', () => {
  const out = terminal(false)
  const progress = new Progress(out)
  progress.set('pod events-0', 'starting', false)
  progress.set('pod events-0', 'starting', false)
  progress.set('pod events-0', 'ready', true)
  progress.drop('pod events-0')
  progress.end()
  expect(out.text).toBe('  · pod events-0       starting\n  ✓ pod events-0       ready\n')
})

it('is a block that changes in place on a terminal', () => {
  const out = terminal(true)
  const progress = new Progress(out)
  progress.set('a', 'one', false)
  progress.set('b', 'two that goes far beyond the edge of the screen', false)
  out.text = ''
  progress.set('a', 'three', true)
  expect(out.text).toBe('\u001b[2A\u001b[2K  ✓ a                  three\n' +
    '\u001b[2K  · b                  two that goes fa\n\u001b[J')
  out.text = ''
  progress.drop('b')
  expect(out.text).toBe('\u001b[2A\u001b[2K  ✓ a                  three\n\u001b[J')
  progress.end()
  out.text = ''
  progress.set('c', 'below', true)
  expect(out.text).toBe('\u001b[2K  ✓ c                  below\n\u001b[J')
})
