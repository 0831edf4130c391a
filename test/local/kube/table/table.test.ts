import { describe, expect, it } from 'vitest'
import { humanDuration, selectorText } from '../../../../local/kube/table/format.ts'
import { evaluateJsonPath, parseJsonPath, setAt } from '../../../../local/kube/table/json-path.ts'

const object = {
  spec: { replicas: 3, names: ['a', 'b'], 'odd.name': 1, ports: [{ port: 1 }, { port: 2 }] },
  status: { conditions: [{ type: 'A', status: 'False' }, { type: 'Ready', status: 'True', since: 5 }] }
}

function read (path: string): unknown {
  const parsed = parseJsonPath(path)
  return parsed === undefined ? 'no path' : evaluateJsonPath(parsed, object)
}

describe('JSON paths', () => {
  it.each([
    ['.spec.replicas', [3]], ['.spec.names[1]', ['b']], ['.spec.names[-1]', ['b']], ['.spec.names[*]', ['a', 'b']],
    ['.spec.ports[*].port', [1, 2]], ['.spec.odd\\.name', [1]], ["['spec']['odd.name']", [1]],
      ['{.spec.replicas}', [3]],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
      ["..status.conditions[?(@.type=='A')].status", 'no path'],
    ['.status.conditions[?(@.since>3)].type', ['Ready']], ['.status.conditions[?(@.since)].type', ['Ready']],
    ['.status.conditions[?(@.type!="Ready")].status', ['False']], ['.nothing.here', []], ['.spec.names[9]', []],
    ['.spec[', 'no path'], ['.constructor.name', []], ['.__proto__.x', []]
  ])('%s', (path, wanted) => {
    expect(read(path)).toEqual(wanted)
  })

  it('set values, making what is missing on the way', () => {
    const target = { spec: { a: 1 } }
    setAt(target, parseJsonPath('.spec.inner.replicas')!, 5)
    expect(target).toEqual({ spec: { a: 1, inner: { replicas: 5 } } })
  })
})

describe('cells', () => {
  const second = 1000
  const minute = 60 * second
  const hour = 60 * minute
  const day = 24 * hour
  it.each([
    [0, '0s'], [59 * second, '59s'], [119 * second, '119s'], [2 * minute, '2m'], [3 * minute + 20 * second, '3m20s'],
    [10 * minute, '10m'], [179 * minute, '179m'], [3 * hour, '3h'], [4 * hour + 5 * minute, '4h5m'], [8 * hour, '8h'],
    [47 * hour, '47h'], [2 * day, '2d'], [2 * day + 3 * hour, '2d3h'], [9 * day, '9d'], [800 * day, '2y70d'],
      [-5 * second, '<invalid>']
  ])('an age of %d ms is %s', (age, wanted) => {
    expect(humanDuration(age)).toBe(wanted)
  })

  it('selectors as text', () => {
    expect(selectorText({ matchLabels: { b: '2', a: '1' },
      matchExpressions: [{ key: 'c', operator: 'In', values: ['y', 'x'] }] }))
      .toBe('a=1,b=2,c in (x,y)')
    expect(selectorText(undefined)).toBe('<none>')
  })
})
