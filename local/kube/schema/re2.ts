// Regular expressions of schemas and rules are Go's (https://github.com/google/re2/wiki/Syntax), run here by
// JavaScript's engine: what JavaScript would read otherwise is refused, what it only writes otherwise is rewritten.

/** RE2 has neither look-around nor back references. */
const notRe2 = /\(\?(?:[=!]|<[=!])|\\[1-9]|\(\?>/
const inlineFlags = /^\(\?([ims]+)\)/

/**
 * `(?i)` holds to the end of its group, over alternatives too; JavaScript has it for groups alone:
 * `a(?i)b|c` is `a(?i:b)|(?i:c)`.
 */
function withScopedFlags (pattern: string): string {
  let result = ''
  /** Of each open group: what was opened for flags in it and is to be closed with it. */
  const opened: string[][] = [[]]
  for (let at = 0; at < pattern.length; at++) {
    const rest = pattern.slice(at)
    const flags = inlineFlags.exec(rest)
    const here = opened.at(-1)!
    if (flags !== null) {
      const scope = `(?${flags[1]}:`
      here.push(scope)
      result += scope
      at += flags[0].length - 1
      continue
    }
    const [token] = /^(?:\\.|\[(?:\\.|[^\]\\])*\]|.)/su.exec(rest)!
    if (token === '|') result += `${')'.repeat(here.length)}|${here.join('')}`
    else if (token === ')') result += ')'.repeat((opened.pop() ?? []).length) + token
    else result += token
    if (token === '(') opened.push([])
    // One bracket too many: the engine will say so.
    if (opened.length === 0) opened.push([])
    at += token.length - 1
  }
  return result + ')'.repeat(opened[0]!.length)
}

const compiled = new Map<string, RegExp>()

/** @throws Error that says why it is no regular expression */
export function re2 (pattern: string): RegExp {
  let found = compiled.get(pattern)
  if (found === undefined) {
    if (notRe2.test(pattern)) throw new Error('error parsing regexp: invalid or unsupported Perl syntax')
    found = new RegExp(withScopedFlags(pattern), 'u')
    compiled.set(pattern, found)
  }
  return found
}
