// produce and consume as processes, against brokers on real sockets.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WireError } from '../../wire/errors.ts'
import { loopbackBrokers } from './loopback-brokers.ts'
import type { LoopbackBrokers } from './loopback-brokers.ts'
import { millrace } from './millrace.ts'
import type { Ran, RunOptions } from './millrace.ts'

let brokers: LoopbackBrokers

beforeEach(async () => {
  brokers = await loopbackBrokers()
  brokers.cluster.create('numbers', 3)
  brokers.cluster.create('one', 1)
})
afterEach(async () => { await brokers.close() })

function run (line: string, options: RunOptions = {}): Promise<Ran> {
  const args = line.split(' ')
  return millrace(args, { ...options, env: { MILLRACE_BOOTSTRAP: brokers.bootstrap, ...options.env } })
}

function sequence (from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => `${from + index}\n`).join('')
}

describe('produce and consume', () => {
  it('bring back every line, once', async () => {
    const produced = await run('produce numbers', { stdin: sequence(0, 200_000) })
    expect(produced.stderr)
      .toMatch(/^% 200,000 records acknowledged in [\d.]+ s \([\d,]+ records\/s, [\d.]+ MB\/s\)\n$/)
    expect([produced.code, produced.stdout]).toEqual([0, ''])
    const consumed = await run('consume numbers -o start -e')
    expect([consumed.code, consumed.stderr]).toEqual([0, ''])
    const lines = consumed.stdout.split('\n')
    expect(lines.pop()).toBe('')
    expect(lines.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 200_000 }, (_, index) => index))
  })

  it('keys, headers, partitions, formats', async () => {
    await run('produce numbers -k : -H a=1 -H b=2 -p 2', { stdin: 'k1:v1\nplain\n' })
    const { stdout } = await run('consume numbers -o start -n 2 -f %t/%p/%o/%k/%v/%s/%h\\n')
    expect(stdout).toBe('numbers/2/0/k1/v1/2/a=1,b=2\nnumbers/2/1//plain/5/a=1,b=2\n')
    const json = (await run('consume numbers -o start -n 1 --json')).stdout
    expect(JSON.parse(json)).toMatchObject({ partition: 2, key: 'k1', value: 'v1', headers: { a: '1', b: '2' } })
  })

  it('-o, -n, -p and -e', async () => {
    await run('produce one', { stdin: sequence(0, 50) })
    const read = async (line: string): Promise<string> => (await run(`consume one ${line}`)).stdout
    expect(await read('-e')).toBe(sequence(0, 50))
    expect(await read('-o 45 -e')).toBe(sequence(45, 50))
    expect(await read('-o -3 -e -p 0')).toBe(sequence(47, 50))
    expect(await read('-o start -n 2')).toBe(sequence(0, 2))
    expect(await read('-o end -e')).toBe('')
    expect(await read('-o @4000-01-01 -e')).toBe('')
  })

  it('an offset past the end is no wish to read everything', async () => {
    await run('produce one', { stdin: sequence(0, 50) })
    const { stdout, stderr } = await run('consume one -o 70', {
      during: async running => {
        await running.says('reading from the end')
        running.kill('SIGINT')
      }
    })
    expect([stdout, stderr]).toEqual(['', '% one/0: offset 70 is past the end, 50; reading from the end\n'])
    const ended = await run('consume one -o 70 -e')
    expect([ended.code, ended.stdout, ended.stderr]).toEqual([0, '', stderr])
  })

  it('a group goes on where it stopped, to the record', async () => {
    await run('produce numbers', { stdin: sequence(0, 100) })
    const sorted = async (line: string): Promise<number[]> => {
      const { stdout } = await run(`consume numbers -g audit ${line}`)
      return stdout.split('\n').filter(text => text !== '').map(Number).sort((a, b) => a - b)
    }
    const first = await sorted('-n 30')
    const second = await sorted('-e')
    expect([...first, ...second].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index))
    expect(await sorted('-e')).toEqual([])
    await run('produce numbers', { stdin: sequence(100, 103) })
    expect(await sorted('-e -o end')).toEqual([100, 101, 102])
  })

  it('at a steady rate', async () => {
    const { stderr } = await run('produce one --rate 50', { stdin: sequence(0, 40) })
    expect(Number(/in ([\d.]+) s/.exec(stderr)?.[1])).toBeGreaterThan(0.6)
  })
})

describe('ends', () => {
  it('head: quietly, with 0', async () => {
    await run('produce one', { stdin: sequence(0, 100_000) })
    const { code, stderr } = await run('consume one -o start', {
      during: async running => {
        await running.says('1\n')
        running.stopReading()
      }
    })
    expect([code, stderr]).toEqual([0, ''])
  })

  it.each([['SIGINT'], ['SIGTERM']] as const)('%s: commits what was written, closes, 0', async signal => {
    await run('produce one', { stdin: sequence(0, 10) })
    const { code, stderr, stdout } = await run('consume one -g watch', {
      during: async running => {
        await running.says('9\n')
        running.kill(signal)
      }
    })
    expect([code, stderr, stdout]).toEqual([0, '', sequence(0, 10)])
    const { leader } = brokers.cluster.partition('__groups', 0)
    expect(brokers.coordinators.all[leader]!.committed('watch', []).map(({ offset }) => offset)).toEqual([10])
  })

  it('an interrupted produce sends what it read and says so by its exit code', async () => {
    const { code, stderr } = await run('produce one', {
      during: async running => {
        running.write('a\nb\n')
        while (brokers.cluster.partition('one', 0).end < 2) await new Promise(resolve => { setTimeout(resolve, 10) })
        running.kill('SIGINT')
      }
    })
    expect(code).toBe(130)
    expect(stderr).toMatch(/^% 2 records acknowledged/)
  })
})

describe('refusals', () => {
  it('an unknown topic names the command that creates it', async () => {
    for (const line of ['produce nothing', 'consume nothing', 'topic describe nothing']) {
      const { code, stdout, stderr } = await run(line, { stdin: 'x\n' })
      expect([code, stdout]).toEqual([4, ''])
      expect(stderr).toContain('% error: no topic nothing; create it: millrace topic create nothing')
    }
  })

  it('a partition out of range', async () => {
    for (const line of ['produce one -p 1', 'consume one -p 0,1']) {
      const { code, stderr } = await run(line, { stdin: 'x\n' })
      expect(code).toBe(4)
      expect(stderr).toBe('% error: topic one has partitions 0 to 0, not 1.\n')
    }
  })

  it('a line over the limit: its number, and what was before it is sent', async () => {
    const { code, stderr } = await run('produce one', { stdin: `a\nb\n${'x'.repeat(1_048_570)}\nc\n` })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^% 2 records acknowledged.*\n% error: line 3: a record of 104857\d bytes does not fit/)
    expect(brokers.cluster.partition('one', 0).values()).toEqual(['a', 'b'])
  })

  it('what a broker refuses for good', async () => {
    brokers.cluster.verdict = () => 'INVALID_TIMESTAMP'
    const { code, stderr } = await run('produce one', { stdin: sequence(0, 3) })
    expect(code).toBe(1)
    expect(stderr).toMatch(/% 0 records acknowledged.*\n% 3 records not acknowledged.*\n% error: the timestamp/)
  })

  it('what a broker does not get done in time', async () => {
    brokers.cluster.verdict = () => 'NOT_ENOUGH_REPLICAS'
    const { code, stderr } = await run('produce one --timeout 1', { stdin: 'x\n' })
    expect(code).toBe(3)
    expect(stderr).toMatch(/% waiting for one\/0 \(fewer than minInSync/)
    expect(stderr).toMatch(/% error: 1 record for one\/0: not acknowledged within 1 s \(fewer than .*; not written/)
  })

  it('a partition without a leader is waited for, then an error', async () => {
    brokers.cluster.elect('one', 0, -1)
    const { code, stderr } = await run('consume one -e --timeout 1')
    expect(code).toBe(3)
    expect(stderr).toMatch(/% waiting for .*one\/0.*no leader/)
    const patient = await run('consume one -o start -n 1 --timeout 20', {
      during: async running => {
        await running.says('waiting for')
        brokers.cluster.elect('one', 0, 0)
        await run('produce one', { stdin: 'x\n' })
      }
    })
    expect([patient.code, patient.stdout]).toEqual([0, 'x\n'])
  })

  it('damaged bytes', async () => {
    await run('produce one', { stdin: 'x\n' })
    brokers.cluster.partition('one', 0).entries[0]!.bytes[65]! ^= 1
    const { code, stderr } = await run('consume one -e')
    expect(code).toBe(1)
    expect(stderr).toContain('% error: one/0: the batch at 0 came with a wrong CRC')
    expect(new WireError('CORRUPT_BATCH').retriable).toBe(false)
  })
})

describe('topics', () => {
  it('list', async () => {
    const { stdout } = await run('topic list')
    expect(stdout.split('\n').map(line => line.split(/ +/)[0])).toEqual(['NAME', 'numbers', 'one', ''])
    const all = (await run('topic list --internal --json')).stdout.trim().split('\n')
    expect(all.map(line => (JSON.parse(line) as { name: string }).name)).toEqual(['__groups', 'numbers', 'one'])
  })

  it('describe', async () => {
    await run('produce one', { stdin: sequence(0, 5) })
    brokers.cluster.elect('numbers', 1, -1)
    const one = await run('topic describe one')
    expect(one.stdout).toMatch(/Topic +one\n[^]*PARTITION +LEADER[^]*\n +0 +0 +0 +0,1,2 +0,1,2 +0 +5 +5\n/)
    const described = JSON.parse((await run('topic describe numbers --json')).stdout) as { partitions: object[] }
    expect(described.partitions).toMatchObject([
      { partition: 0, leader: 0, startOffset: 0, endOffset: 0 }, { partition: 1, leader: -1, endOffset: null },
      { partition: 2 }
    ])
  })
})
