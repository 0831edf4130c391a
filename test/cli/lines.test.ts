import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { readLines } from '../../cli/lines.ts'

async function * chunks (bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  for (let index = 1; index < places.length; index++) {
    // A copy that is wiped afterwards: what was kept of it would show.
    const chunk = Buffer.from(bytes.subarray(places[index - 1], places[index]))
    if (chunk.length > 0) yield chunk
  }
}

type KeyAndValue = [string | null, string]

async function read (text: string, separator: string | undefined,
  cuts: readonly number[] = []): Promise<KeyAndValue[]> {
  const found: KeyAndValue[] = []
  const split = separator === undefined ? undefined : Buffer.from(separator)
  for await (const lines of readLines(chunks(Buffer.from(text), cuts), split, new AbortController().signal)) {
    while (lines.next()) {
      expect(lines.number).toBe(found.length + 1)
      const key = lines.keyStart < 0 ? null : lines.bytes.toString('utf8', lines.keyStart, lines.keyEnd)
      found.push([key, lines.bytes.toString('utf8', lines.valueStart, lines.valueEnd)])
    }
  }
  return found
}

describe('lines', () => {
  it.each([
    ['', []], ['a', ['a']], ['a\n', ['a']], ['\n', ['']], ['\n\n', ['', '']], ['a\n\nb', ['a', '', 'b']],
    ['a\r\n', ['a\r']]
  ])('of %j', async (text, values) => {
    expect(await read(text, undefined)).toEqual(values.map(value => [null, value]))
  })

  it('split at the first separator, which may be missing, long, or at the ends', async () => {
    expect(await read('k:v:w\nplain\n:v\nk:\n', ':')).toEqual([['k', 'v:w'], [null, 'plain'], ['', 'v'], ['k', '']])
    expect(await read('a=>b\na=\n>b', '=>')).toEqual([['a', 'b'], [null, 'a='], [null, '>b']])
  })

  it('are the same however the stream is cut', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ':', '\n', 'é'), maxLength: 60 })
    const someCuts = fc.array(fc.nat(200), { maxLength: 8 })
    await fc.assert(fc.asyncProperty(text, someCuts, fc.constantFrom(undefined, ':', '::', 'ab'),
      async (text, cuts, separator) => {
        const lines = text.split('\n')
        if (lines.at(-1) === '') lines.pop()
        expect(await read(text, separator, cuts)).toEqual(lines.map(line => {
          const at = separator === undefined ? -1 : line.indexOf(separator)
          return at < 0 ? [null, line] : [line.slice(0, at), line.slice(at + separator!.length)]
        }))
      }))
  })

  it('one longer than a record is an error that says where', async () => {
    const text = `a\n${'x'.repeat(1_100_000)}`
    await expect(read(text, undefined, [500_000, 1_000_000])).rejects.toThrow('line 2 is longer')
  })
})
