import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as take from '../../cli/arguments.ts'
import { kubeconfigPath } from '../../cli/kube.ts'
import { WaitingNotes } from '../../cli/notes.ts'
import { Pace } from '../../cli/pace.ts'
import { bytes, duration, orDash, table } from '../../cli/table.ts'
import { topicObject } from '../../cli/topic-create.ts'
import { objectNameFor } from '../../cli/topic-objects.ts'

describe('values of options', () => {
  it.each([
    ['start', 'start'], ['end', 'end'], ['0', 0], ['17', 17], ['-3', -3], ['-0', 'end'],
    ['@1700000000000', { timestamp: 1_700_000_000_000 }], ['@2023-11-14T22:13:20Z', { timestamp: 1_700_000_000_000 }],
    ['@2023-11-14', { timestamp: 1_699_920_000_000 }]
  ])('-o %s', (text, start) => {
    expect(take.startAt(text)).toEqual(start)
  })

  it.each(['', 'beginning', '1.5', '--1', '@', '@yesterday', '@-5', '99999999999999999999'])('not -o %j', text => {
    expect(() => take.startAt(text)).toThrow('is wanted')
  })

  it('numbers within their range', () => {
    expect(take.integer(1, 5)('5')).toBe(5)
    for (const text of ['0', '6', '-1', '1e3', '0x1', ' 1', '', '9007199254740993']) {
      expect(() => take.integer(1, 5)(text)).toThrow('from 1 to 5')
    }
    expect(take.partitions('3, 0,3')).toEqual([3, 0])
    expect(take.seconds('0.5')).toBe(500)
    for (const text of ['0', '-1', 'x', '1h']) expect(() => take.seconds(text)).toThrow('seconds')
  })

  it('headers and separators', () => {
    const headers = take.header('b=', take.header('a=x=y'))
    expect(headers.map(({ key, value }) => [key, Buffer.from(value!).toString()])).toEqual([['a', 'x=y'], ['b', '']])
    expect(() => take.header('=x')).toThrow('name=value')
    expect(take.separator('\\t')).toBe('\t')
    expect(take.unescape('a\\x41\\n\\\\n\\q')).toBe('aA\n\\n\\q')
    expect(() => take.separator('')).toThrow('character')
  })
})

describe('the kubeconfig', () => {
  it('is the one named, then that of KUBECONFIG, never the one at home unasked', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
    const one = join(folder, 'one')
    const two = join(folder, 'two')
    writeFileSync(one, '')
    writeFileSync(two, '')
    expect(kubeconfigPath(one, { KUBECONFIG: two })).toBe(one)
    expect(kubeconfigPath(undefined, { KUBECONFIG: `${join(folder, 'none')}:${two}` })).toBe(two)
    expect(() => kubeconfigPath(join(folder, 'none'), {})).toThrow('--kubeconfig')
    expect(() => kubeconfigPath(undefined, { KUBECONFIG: join(folder, 'none') })).toThrow('KUBECONFIG')
    if (existsSync('.millrace/kubeconfig')) expect(kubeconfigPath(undefined, {})).toBe('.millrace/kubeconfig')
    else expect(() => kubeconfigPath(undefined, { HOME: folder })).toThrow('npm start')
  })
})

describe('topic objects', () => {
  it('have the topic\'s name where Kubernetes allows it, and one made from it elsewhere', () => {
    expect(objectNameFor('orders.eu-1')).toBe('orders.eu-1')
    const names = ['Orders', 'orders_eu', '.x.', '-', 'a..b', 'A'.repeat(249), '_'].map(objectNameFor)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) {
      expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
      expect(name.length).toBeLessThanOrEqual(253)
    }
  })

  it('say what was said, and nothing else', () => {
    expect(topicObject('orders', 'events', 'default', {})).toEqual({
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'Topic',
      metadata: { name: 'orders', namespace: 'default' },
      spec: { cluster: 'events' }
    })
    const counts = { partitions: 3, replicas: 1, minInSync: 1 }
    const said = { ...counts, retention: '7d', retentionBytes: '1Gi', deletePolicy: 'Delete' }
    expect(topicObject('Orders', 'events', 'default', said)['spec']).toEqual({
      cluster: 'events', name: 'Orders', ...counts, retention: { age: '7d', bytes: '1Gi' }, deletePolicy: 'Delete'
    })
  })
})

describe('words for people', () => {
  it('tables', () => {
    expect(table(['A', 'NUMBER'], [['x', 5], ['long', 1_000]])).toBe('A     NUMBER\nx          5\nlong    1000\n')
    expect([orDash(-1), orDash(undefined), orDash(0), orDash('x')]).toEqual(['-', '-', '0', 'x'])
    expect([604_800_000, 5_400_000, 1_500, -1].map(duration)).toEqual(['7d', '90m', '1500ms', 'unlimited'])
    expect([2 ** 30, 1_536, 1_000, -1].map(bytes)).toEqual(['1Gi', '1536', '1000', 'unlimited'])
  })

  it('what is waited for is said when it lasts, and not over and over', () => {
    const said: string[] = []
    const write = process.stderr.write
    process.stderr.write = ((text: string) => said.push(text) > 0) as typeof write
    try {
      const notes = new WaitingNotes()
      for (let now = 0; now <= 10_000; now += 100) notes.waiting(now < 2_000 ? 'a leader' : 'a broker', now)
      expect(said).toEqual(['% waiting for a leader\n', '% waiting for a broker\n', '% waiting for a broker\n'])
      notes.over()
      notes.waiting('x', 20_000)
      notes.waiting('x', 20_300)
      expect(said).toHaveLength(3)
    } finally {
      process.stderr.write = write
    }
  })

  it('a pace is kept, and little is saved up', () => {
    const pace = new Pace(1_000)
    const start = performance.now() + 1_000
    let taken = 0
    for (let now = start; now < start + 1_000; now += 10) while (pace.take(now)) taken++
    expect(taken).toBeGreaterThan(950)
    expect(taken).toBeLessThan(1_110)
  })
})
