import { describe, expect, it } from 'vitest'
import { parseListeners } from '../../broker/listeners.ts'

const said = [
  { name: 'internet', port: 9094, addresses: { 0: 'b0.example:443', 1: 'b1.example:443' } },
  { name: 'nodes', port: 9095, addresses: { 0: '{node}:31000', 1: '{node}:31001' } }
]

describe('listeners of a broker', () => {
  it('are listened at on every address, and told by the address of its own pod', () => {
    expect(parseListeners(said, 1, { MILLRACE_NODE_IP: '198.51.100.7' })).toEqual([
      { name: 'internet', listen: '[::]:9094', address: 'b1.example:443' },
      { name: 'nodes', listen: '[::]:9095', address: '198.51.100.7:31001' }
    ])
    expect(parseListeners(undefined, 0, {})).toEqual([])
  })

  it('have no address while it is not known: of a pod, of a node', () => {
    expect(parseListeners(said, 2, { MILLRACE_NODE_IP: 'x' }).map(({ address }) => address)).toEqual(['', ''])
    expect(parseListeners(said, 0, {})[1]!.address).toBe('')
  })

  it('have the address of their own pod, where that is told', () => {
    const inside = [{ name: 'inside', port: 9096, addresses: { 0: '{pod}:9096' } }]
    expect(parseListeners(inside, 0, { MILLRACE_POD_IP: '10.0.0.9' })[0]!.address).toBe('10.0.0.9:9096')
    expect(parseListeners(inside, 0, { MILLRACE_POD_IP: 'fd00::9' })[0]!.address).toBe('[fd00::9]:9096')
    expect(parseListeners(inside, 0, {})[0]!.address).toBe('')
  })

  it('have a node of IPv6 in brackets', () => {
    expect(parseListeners(said, 0, { MILLRACE_NODE_IP: 'fd00::1' })[1]!.address).toBe('[fd00::1]:31000')
  })

  it('are elsewhere where the environment says so, as on a laptop', () => {
    const env = { MILLRACE_LISTEN_INTERNET: '127.0.0.1:5', MILLRACE_ADVERTISE_INTERNET: '127.0.0.1:6' }
    expect(parseListeners(said, 0, env)[0]).toEqual({ name: 'internet', listen: '127.0.0.1:5', address: '127.0.0.1:6' })
  })

  it.each([['no list', {}], ['no name', [{ port: 1 }]], ['no port', [{ name: 'a' }]],
    ['too high', [{ name: 'a', port: 65536 }]],
    ['too many', Array.from({ length: 6 }, (_, i) => ({ name: `a${i}`, port: 9000 + i }))]
  ])('are refused: %s', (_what, wrong) => {
    expect(() => parseListeners(wrong, 0, {})).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })
})
