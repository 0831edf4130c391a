import { beforeEach, describe, expect, it } from 'vitest'
import { BrokerAddresses } from '../../client/broker-addresses.ts'
import { WireError } from '../../wire/errors.ts'
import type { BrokerInfo } from '../../wire/messages.ts'
import type { Net } from '../../wire/ports.ts'
import { SeededRng } from './fake-clock.ts'

let forgotten: string[]
let identified: string[]
let addresses: BrokerAddresses

beforeEach(() => {
  forgotten = []
  identified = []
  const net = {
    forget: (address: string) => { forgotten.push(address) },
    identify: (cluster: string) => { identified.push(cluster) }
  } as unknown as Net
  addresses = new BrokerAddresses(net, new SeededRng(1), ['boot:1', 'a:1'])
})

function broker (brokerId: number, clientAddress: string, fenced = false): BrokerInfo {
  return {
    brokerId, clientAddress, fenced, volumeId: '', brokerEpoch: 1, incarnation: '', stopping: false, peerAddress: '',
    rack: '',
    draining: false, listeners: [], maintenance: false
  }
}

describe('addresses of brokers', () => {
  it('are asked in turn, lost brokers last', () => {
    addresses.update([broker(0, 'a:1'), broker(1, 'b:1', true), broker(2, 'c:1')], true)
    const rounds = Array.from({ length: 6 }, () => addresses.candidates())
    expect(rounds.map(round => round.at(-1))).toEqual(Array(6).fill('b:1'))
    expect(new Set(rounds.map(round => round[0]))).toEqual(new Set(['a:1', 'c:1', 'boot:1']))
    for (const round of rounds) expect([...round].sort()).toEqual(['a:1', 'b:1', 'boot:1', 'c:1'])
  })

  it('may all be old: the second to be asked is where a client begins', () => {
    const ids = Array.from({ length: 20 }, (_, id) => id)
    addresses.update(ids.map(id => broker(id, `old-${id}:1`, id > 15)), true)
    const firsts = new Set<string>()
    for (let round = 0; round < 36; round++) {
      const asked = addresses.candidates()
      expect(asked).toHaveLength(22)
      firsts.add(asked[0]!)
      expect(asked.slice(0, 2)).toSatisfy((two: string[]) => two.includes('boot:1') || two.includes('a:1'))
    }
    expect(firsts.size).toBe(18)
  })

  it('are let go of when nobody has them any more', () => {
    expect(addresses.update([broker(0, 'a:1'), broker(1, 'b:1')], true)).toBe(true)
    expect(addresses.update([broker(0, 'a:2'), broker(1, 'b:2')], true)).toBe(true)
    expect(addresses.update([broker(0, 'a:2'), broker(1, 'b:2')], true)).toBe(false)
    // a:1 is a bootstrap address.
    expect(forgotten).toEqual(['b:1'])
    expect(['a:1', 'a:2', 'b:1', 'b:2'].map(each => addresses.isKnown(each))).toEqual([true, true, false, true])
  })

  it('of brokers that are left out are dropped only when the answer is complete', () => {
    addresses.update([broker(0, 'x:1'), broker(1, 'y:1')], true)
    addresses.update([broker(0, 'x:1')], false)
    expect(addresses.get(1)).toBe('y:1')
    addresses.update([], true)
    expect(addresses.get(1)).toBe('y:1')
    addresses.update([broker(0, 'x:1')], true)
    expect([addresses.get(0), addresses.get(1)]).toEqual(['x:1', undefined])
    expect(forgotten).toEqual(['y:1'])
  })

  it('are of the cluster that answered first, and asked for in its name', () => {
    expect(addresses.isOther('uid-2')).toBe(false)
    addresses.belong('')
    addresses.belong('not a\nname')
    addresses.belong('uid-1')
    addresses.belong('uid-2')
    expect(identified).toEqual(['uid-1'])
    expect(['uid-1', 'uid-2', ''].map(uid => addresses.isOther(uid))).toEqual([false, true, false])
  })

  it('are forgotten when another cluster is where a client begins, and only then', () => {
    addresses.belong('uid-1')
    addresses.update([broker(0, 'b:1'), broker(1, 'c:1')], true)
    const wrong = new WireError('WRONG_BROKER')
    const down = new WireError('UNAVAILABLE')
    expect([addresses.refused(new Map([['b:1', wrong], ['boot:1', down]])), addresses.refused(new Map())])
      .toEqual([false, false])
    expect(addresses.candidates()).toHaveLength(4)
    expect(addresses.refused(new Map([['b:1', down], ['boot:1', wrong]]))).toBe(true)
    expect(addresses.candidates().sort()).toEqual(['a:1', 'boot:1'])
    expect(forgotten).toEqual(['b:1', 'c:1'])
    addresses.belong('uid-2')
    expect(identified).toEqual(['uid-1', '', 'uid-2'])
  })
})
