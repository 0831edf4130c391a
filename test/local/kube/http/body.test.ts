import { describe, expect, it } from 'vitest'
import { duplicateFields, parseBody } from '../../../../local/kube/http/body.ts'
import { parseProtobuf } from '../../../../local/kube/http/protobuf.ts'

describe('duplicate fields', () => {
  it.each([
    ['{"a":1,"b":2}', []], ['{"a":1,"a":2}', ['a']], ['{"a":{"b":1,"b":2}}', ['a.b']], ['{"a":[{"b":1},{"b":1}]}', []],
    ['{"a":[0,{"b":1,"b":1}]}', ['a[1].b']], ['{"a":"\\"a\\":1,\\"a\\":2"}', []], ['{"a\\u0062":1,"ab":2}', ['ab']],
    ['[[{"x":1,"x":2}]]', ['[0][0].x']], ['{"a":{},"b":[],"a":3}', ['a']], ['{"a":"}{","a":1}', ['a']]
  ])('%s', (text, wanted) => {
    expect(duplicateFields(text)).toEqual(wanted)
  })
})

describe('bodies', () => {
  it('may be YAML, but not with aliases that blow up', async () => {
    expect((await parseBody(Buffer.from('a: [1, x]\n'), 'application/yaml')).value).toEqual({ a: [1, 'x'] })
    await expect(parseBody(Buffer.from('a: [\n'), 'application/yaml')).rejects.toMatchObject({ code: 400 })
    const laughs = Array.from({ length: 9 }, (_, at) =>
      `a${at}: &a${at} [${Array.from({ length: 9 }, () => at === 0 ? '1' : `*a${at - 1}`).join(', ')}]\n`).join('')
    await expect(parseBody(Buffer.from(laughs), 'application/yaml')).rejects.toMatchObject({ code: 400 })
  })

  it('in protobuf are read with their times, quantities, maps and zeroes', () => {
    // Lease {metadata: {name: "l", labels: {a: "b"}}, spec: {leaseDurationSeconds: 0 (set), renewTime: 1 s 5000 ns}}
    const message = (...fields: [number, Buffer | string | number][]): Buffer =>
      Buffer.concat(fields.map(([number, value]) =>
      typeof value === 'number'
        ? Buffer.from([number << 3, value])
        : Buffer.concat([Buffer.from([number << 3 | 2, value.length]), Buffer.from(value)])))
    const entry = message([1, 'a'], [2, 'b'])
    const object = message([1, message([1, 'l'], [2, ''], [11, entry])],
      [2, message([1, 'holder'], [2, 0], [4, message([1, 1], [2, 0])], [5, 0])])
    const body = Buffer.concat([Buffer.from('k8s\0'),
      message([1, message([1, 'coordination.k8s.io/v1'], [2, 'Lease'])], [2, object])])
    expect(parseProtobuf(body)).toEqual({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'l', labels: { a: 'b' } },
      spec: {
        holderIdentity: 'holder', leaseDurationSeconds: 0, renewTime: '1970-01-01T00:00:01.000000Z', leaseTransitions: 0
      }
    })
    expect(() => parseProtobuf(body.subarray(0, body.length - 2))).toThrow('unexpected EOF')
    expect(() => parseProtobuf(Buffer.from('{}'))).toThrow('no Kubernetes protobuf message')
  })
})
