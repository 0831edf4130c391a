import { expect, it } from 'vitest'
import { rackOf } from '../../broker/racks.ts'

const racks = { 'node-1': 'hall-a', 'node-2': 'hall-b', bare: '' }

it.each<[string, unknown, Record<string, string>, string]>([
  ['what is told of its node', racks, { MILLRACE_NODE_NAME: 'node-2' }, 'hall-b'],
  ['that, rather than what the pod knows', racks, { MILLRACE_NODE_NAME: 'node-1', MILLRACE_RACK: 'old' }, 'hall-a'],
  ['what the pod knows, on a node that joined a moment ago', racks,
    { MILLRACE_NODE_NAME: 'node-3', MILLRACE_RACK: 'zone-c' }, 'zone-c'],
  ['what the pod knows, of a label without a value', racks, { MILLRACE_NODE_NAME: 'bare', MILLRACE_RACK: 'r' }, 'r'],
  ['what the pod knows, where nothing is told', undefined, { MILLRACE_NODE_NAME: 'n', MILLRACE_RACK: 'n' }, 'n'],
  ['nothing, where nobody knows', racks, { MILLRACE_NODE_NAME: 'node-3' }, ''],
  ['nothing, of a node that is named like a part of every object', racks, { MILLRACE_NODE_NAME: 'constructor' }, ''],
  ['nothing, outside of Kubernetes', undefined, {}, '']
])('%s', (_what, told, env, rack) => {
  expect(rackOf(told, env)).toBe(rack)
})

it.each<[string, unknown, Record<string, string>]>([
  ['a list', ['hall-a'], {}], ['a text', 'hall-a', {}], ['null', null, {}],
  ['a number for its node', { n: 1 }, { MILLRACE_NODE_NAME: 'n' }],
  ['more than a table holds', undefined, { MILLRACE_RACK: 'r'.repeat(254) }]
])('refuses %s', (_what, told, env) => {
  expect(() => rackOf(told, env)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
})
