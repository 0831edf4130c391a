// Cases of strategic merge patch that kubectl sends but seldom; the common ones are in the conformance suite.
import { describe, expect, it } from 'vitest'
import type { Json } from '../../../../local/kube/object.ts'
import { mergePatch } from '../../../../local/kube/patch/merge-patch.ts'
import { strategicMerge } from '../../../../local/kube/patch/strategic.ts'
import { definition } from '../../../../local/kube/schema/schema.ts'

const pod = definition('io.k8s.api.core.v1.Pod')
const merge = (target: Json, patch: Json): Json => strategicMerge(target, patch, pod)
const containers = (...names: string[]): Json => ({ spec: { containers: names.map(name => ({ name, image: 'i' })) } })

describe('strategic merge patch', () => {
  it('adds, changes and orders items by key', () => {
    expect(merge(containers('a', 'b'), {
      spec: { $setElementOrder: [], '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }],
        containers: [{ name: 'c' }] }
    })).toEqual({ spec: { containers: [{ name: 'c' }, { name: 'a', image: 'i' }, { name: 'b', image: 'i' }] } })
  })

  it('orders without changing', () => {
    expect(merge(containers('a', 'b'), { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } }))
      .toEqual(containers('b', 'a'))
  })

  it('replaces and deletes maps', () => {
    expect(merge({ metadata: { labels: { a: '1', b: '2' } } }, { metadata: { labels: { $patch: 'replace', c: '3' } } }))
      .toEqual({ metadata: { labels: { c: '3' } } })
    expect(merge({ metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'delete' } } })).toEqual({ metadata: { labels: {} } })
  })

  it('refuses items without their key and unknown directives', () => {
    expect(() => merge(containers('a'),
      { spec: { containers: [{ image: 'x' }] } })).toThrow('does not contain declared merge key: name')
    expect(() => merge({}, { $patch: 'explode' })).toThrow('invalid value for $patch')
  })

  it('leaves its inputs alone', () => {
    const target = containers('a')
    const text = JSON.stringify(target)
    merge(target, { spec: { containers: [{ name: 'a', image: 'j' }] } })
    expect(JSON.stringify(target)).toBe(text)
  })
})

describe('merge patch (the examples of RFC 7386)', () => {
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'], ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
      ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'], ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
      ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'], ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'], ['{"a":"b"}', '["c"]', '["c"]'], ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'], ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
      ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}']
  ])('%s with %s is %s', (target, patch, wanted) => {
    expect(mergePatch(JSON.parse(target) as Json, JSON.parse(patch) as Json)).toEqual(JSON.parse(wanted))
  })
})
