import { describe, expect, test } from 'vitest'
import { preferredWishes } from '../../../broker/controller/preferred.ts'
import type { Roster } from '../../../broker/controller/roster.ts'
import * as limits from '../../../broker/limits.ts'
import type { MemberState } from '../../../broker/controller/facts.ts'
import type { PartitionRow } from '../../../wire/messages.ts'
import { facts, id, row, table, topic, topicId } from './make.ts'

const now = 100_000

function wishes (one: PartitionRow, options: {
  states?: Record<number, MemberState>
  registeredAt?: number
  draining?: number[]
  chosen?: boolean
  movedLately?: boolean
  unfit?: number[]
  unreached?: number[]
} = {}): (number | undefined)[] {
  const live = facts(options.states ?? { 0: 'live', 1: 'live', 2: 'live' }, { unfit: options.unfit ?? [] })
  const roster = {
    ...live,
    session: () => ({ state: 'registered', registeredAt: options.registeredAt ?? 0 }),
    reachesAll: (_row: PartitionRow, brokerId: number) => options.unreached?.includes(brokerId) !== true,
    isChosen: () => options.chosen === true,
    movedLately: () => options.movedLately === true
  } as unknown as Roster
  const stored = table({ topics: new Map([[topicId, topic()]]), rows: new Map([[topicId, [one]]]) })
  return preferredWishes([stored], roster, now, new Set(options.draining)).map(wish => wish.preferred)
}

describe('a preferred leader returns', () => {
  test('when it is in sync, lives and has settled', () => {
    expect(wishes(row({ leader: 1 }))).toEqual([0])
    expect(wishes(row({ leader: 0 }))).toEqual([])
    expect(wishes(row({ leader: 1 }), { registeredAt: now - limits.preferredLeaderMs + 1 })).toEqual([])
  })

  test('not when a member of the set could not follow it', () => {
    expect(wishes(row({ leader: 1 }), { unreached: [0] })).toEqual([])
  })

  test('only when it has caught up: a member of the set with its very identity', () => {
    expect(wishes(row({ leader: 1, inSync: [id(1), id(2)] }))).toEqual([])
    expect(wishes(row({ leader: 1, inSync: [id(0, 7), id(1), id(2)] }))).toEqual([])
    expect(wishes(row({ leader: 1 }), { states: { 0: 'stopping', 1: 'live', 2: 'live' } })).toEqual([])
    expect(wishes(row({ leader: 1 }), { unfit: [0] })).toEqual([])
  })

  test('not during a move, not against a person\'s choice, not just after the leadership was taken from it', () => {
    expect(wishes(row({ leader: 1, replicas: [0, 1, 2, 3], removing: [3] }))).toEqual([])
    expect(wishes(row({ leader: 1 }), { chosen: true })).toEqual([])
    expect(wishes(row({ leader: 1 }), { movedLately: true })).toEqual([])
    expect(wishes(row({ leader: -1 }))).toEqual([])
  })
})

describe('a broker that is drained', () => {
  test('gives its leaderships to whoever can take them, and gets none', () => {
    expect(wishes(row({ leader: 0 }), { draining: [0] })).toEqual([1])
    expect(wishes(row({ leader: 0, inSync: [id(0), id(2)] }), { draining: [0] })).toEqual([2])
    expect(wishes(row({ leader: 1 }), { draining: [0] })).toEqual([])
    expect(wishes(row({ leader: 2 }), { draining: [0] })).toEqual([1])
    expect(wishes(row({ leader: 0 }), { draining: [0, 1, 2] })).toEqual([])
  })
})
