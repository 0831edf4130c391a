import { describe, expect, it } from 'vitest'
import { parseOptions } from '../../local/options.ts'

const parse = (...args: string[]): unknown => parseOptions(args, '/there', '/project')

describe('flags of npm start', () => {
  it('are all optional', () => {
    expect(parse()).toEqual({ folder: '/project/.millrace', port: 9090, brokers: undefined, fresh: false, help: false })
  })

  it('are taken as given', () => {
    expect(parse('--dir', 'a/b', '--port', '0', '--brokers=1', '--fresh', '-h'))
      .toEqual({ folder: '/there/a/b', port: 0, brokers: 1, fresh: true, help: true })
    expect(parse('--dir', '/x')).toMatchObject({ folder: '/x' })
  })

  it.each([
    [['--port', '65536'], '--port must be a number from 0 to 65535, not \'65536\''],
    [['--port', 'http'], '--port must be a number'],
    [['--port='], '--port must be a number'],
    [['--brokers', '0'], '--brokers must be a number from 1 to 100'],
    [['--brokers', '1e1'], '--brokers must be a number'],
    [['--dir='], '--dir needs a folder'],
    [['--dir'], '--dir'],
    [['--quick'], 'Unknown option \'--quick\''],
    [['cluster'], 'Unexpected argument \'cluster\'']
  ])('%j: one line', (args, message) => {
    expect(() => parse(...args)).toThrow(message)
    expect(() => parse(...args)).toThrow(/^[^\n]*$/)
  })
})
