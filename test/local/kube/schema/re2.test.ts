import { expect, it } from 'vitest'
import { re2 } from '../../../../local/kube/schema/re2.ts'

it.each([
  ['^(?i)(abort|warn)?$', 'WARN', true],
  ['^(?i)(abort|warn)?$', 'stop', false],
  // To the end of the group, over its alternatives; and not beyond.
  ['^(a(?i)b|c)d$', 'aBd', true],
  ['^(a(?i)b|c)d$', 'Cd', true],
  ['^(a(?i)b|c)d$', 'Abd', false],
  ['^(a(?i)b|c)d$', 'aBD', false],
  ['^(?s)a.b$', 'a\nb', true],
  // Not within classes and escapes.
  ['^[(?i)|]+$', '|)i', true],
  ['^[(?i)|]+$', 'I', false],
  ['^\\(\\?i\\)x$', '(?i)x', true]
])('%s on %s', (pattern, text, matches) => {
  expect(re2(pattern).test(text)).toBe(matches)
})

it.each(['(?=a)', '(?<!a)', '(a)\\1', '(?>a)', '(', '[a'])('refuses %s', pattern => {
  expect(() => re2(pattern)).toThrow()
})
