import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignRanges, assignUniformly } from '../../../broker/group/assignors.ts'
import type { Assign, AssignorMember, AssignorTopic, Target } from '../../../broker/group/assignors.ts'
import { nameOf, placeOf } from '../../../broker/group/records.ts'

const racks = ['', 'a', 'b', 'c']

function topic (topicId: string, partitions: number): AssignorTopic {
  return { topicId, partitions, racksOf: partition => [racks[1 + partition % 3]!] }
}

function member (id: string, topics: readonly string[], rack = ''): AssignorMember {
  return { id, rack, topics: new Set(topics) }
}

function loads (members: readonly AssignorMember[], target: Target): Map<string, number> {
  const found = new Map(members.map(({ id }) => [id, 0]))
  for (const id of target.values()) found.set(id, found.get(id)! + 1)
  return found
}

function moves (before: Target, after: Target): number {
  return [...after].filter(([name, id]) => before.has(name) && before.get(name) !== id).length
}

const topicIds = ['t1', 't2', 't3']
const anyTopics = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 }),
  fc.integer({ min: 0, max: 12 })).map(sizes => sizes.map((size, index) => topic(topicIds[index]!, size)))
const anyMembers = fc.uniqueArray(fc.record({
  id: fc.integer({ min: 0, max: 99 }).map(value => `m${value}`),
  rack: fc.constantFrom(...racks),
  topics: fc.subarray(topicIds, { minLength: 1 }).map(some => new Set(some))
}), { selector: ({ id }) => id, maxLength: 9 })

/** Every partition that somebody reads has one owner, who reads it. */
function isWhole (members: readonly AssignorMember[], topics: readonly AssignorTopic[], target: Target): void {
  for (const { topicId, partitions } of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      const owner = target.get(nameOf(topicId, partition))
      const readers = members.filter(({ topics }) => topics.has(topicId))
      if (readers.length > 0) expect(readers.map(({ id }) => id)).toContain(owner)
      else expect(owner).toBeUndefined()
    }
  }
  expect(target.size).toBeLessThanOrEqual(topics.reduce((sum, { partitions }) => sum + partitions, 0))
}

function isBalanced (members: readonly AssignorMember[], target: Target): void {
  const load = loads(members, target)
  for (const [name, id] of target) {
    for (const other of members) {
      if (other.topics.has(placeOf(name).topicId)) expect(load.get(id)! - load.get(other.id)!).toBeLessThanOrEqual(1)
    }
  }
}

describe.each([['uniform', assignUniformly], ['range', assignRanges]] as [string, Assign][])('%s', (name, assign) => {
  it('leaves no partition out, whoever comes and goes', () => {
    fc.assert(fc.property(anyTopics, fc.array(anyMembers, { maxLength: 5 }), (topics, steps) => {
      let target: Target = new Map()
      for (const members of steps) {
        target = assign(members, topics, target)
        isWhole(members, topics, target)
        if (name === 'uniform') isBalanced(members, target)
      }
    }))
  })

  it('does not depend on the order of members, and keeps what is as it shall be', () => {
    const alike = anyMembers.map(members => members.map(({ id, rack }) => member(id, topicIds, rack)))
    fc.assert(fc.property(anyTopics, alike, (topics, members) => {
      const target = assign(members, topics, new Map())
      expect([...assign([...members].reverse(), topics, new Map())].sort()).toEqual([...target].sort())
      expect(moves(target, assign(members, topics, target))).toBe(0)
    }))
  })
})

describe('uniform', () => {
  it('moves no more than balance takes, when a member comes or goes', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 100 }), fc.nat(),
      (count, partitions, pick) => {
        const topics = [topic('t1', partitions)]
        const members = Array.from({ length: count }, (_, index) => member(`m${index}`, ['t1']))
        const target = assignUniformly(members, topics, new Map())
        const more = [...members, member('new', ['t1'])]
        const grown = assignUniformly(more, topics, target)
        expect(moves(target, grown)).toBeLessThanOrEqual(Math.ceil(partitions / more.length))
        const gone = members[pick % count]!
        const shrunk = assignUniformly(members.filter(each => each !== gone), topics, target)
        // Those of the one that went, and nobody else's.
        expect(moves(target, shrunk)).toBe(count === 1 ? 0 : loads(members, target).get(gone.id))
      }))
  })

  it('keeps what is as it shall be with unlike subscriptions', () => {
    fc.assert(fc.property(anyTopics, anyMembers, (topics, members) => {
      const target = assignUniformly(members, topics, new Map())
      expect(moves(target, assignUniformly(members, topics, target))).toBe(0)
    }))
  })

  it('gives partitions to members of their leader\'s rack where that keeps the balance', () => {
    const members = ['a', 'b', 'c'].flatMap(rack => ['1', '2'].map(id => member(id + rack, ['t1'], rack)))
    const target = assignUniformly(members, [topic('t1', 30)], new Map())
    isBalanced(members, target)
    for (const [name, id] of target) expect(id.slice(1)).toBe(racks[1 + placeOf(name).partition % 3])
  })

  it('gives partitions to members of a follower\'s rack where nobody is near the leader', () => {
    const members = ['b', 'c', 'elsewhere'].flatMap(rack => ['1', '2'].map(id => member(id + rack, ['t1'], rack)))
    // Leaders in a, the second replica in b or c.
    const topics = [{ topicId: 't1', partitions: 30, racksOf: (partition: number) => ['a', 'bc'[partition % 2]!] }]
    const target = assignUniformly(members, topics, new Map())
    isBalanced(members, target)
    const near = [...target].filter(([name, id]) => id.slice(1) === 'bc'[placeOf(name).partition % 2])
    expect(near).toHaveLength(20)
  })

  it('prefers the leader\'s rack to a follower\'s', () => {
    const members = ['a', 'b'].map(rack => member(rack, ['t1'], rack))
    const topics = [{
      topicId: 't1', partitions: 10, racksOf: (partition: number) => partition % 2 === 0 ? ['a', 'b'] : ['b', 'a']
    }]
    for (const [name, id] of assignUniformly(members, topics, new Map())) {
      expect(id).toBe('ab'[placeOf(name).partition % 2])
    }
  })

  it('plans a second member beside one that has everything', () => {
    const topics = [topic('t1', 20_000)]
    const target = assignUniformly([member('x', ['t1'])], topics, new Map())
    expect(moves(target, assignUniformly([member('x', ['t1']), member('y', ['t1'])], topics, target))).toBe(10_000)
  })

  it('plans 2,000 members and 20,000 partitions, unlike subscriptions included', () => {
    const topics = Array.from({ length: 20 }, (_, index) => topic(`t${index}`, 1_000))
    const members = Array.from({ length: 2_000 }, (_, index) =>
      member(`m${index}`, topics.map(({ topicId }) => topicId).filter((_, at) => (index + at) % 7 > 0)))
    const target = assignUniformly(members, topics, new Map())
    expect(target.size).toBe(20_000)
    const load = [...loads(members, target).values()]
    expect(Math.max(...load) - Math.min(...load)).toBeLessThanOrEqual(1)
    expect(moves(target, assignUniformly(members.slice(1), topics, target))).toBeLessThanOrEqual(20)
  })
})

describe('range', () => {
  it('brings partitions of one number together', () => {
    const members = ['x', 'y', 'z'].map(id => member(id, ['t1', 't2']))
    const target = assignRanges(members, [topic('t1', 7), topic('t2', 7)], new Map())
    for (let partition = 0; partition < 7; partition++) {
      expect(target.get(nameOf('t1', partition))).toBe(target.get(nameOf('t2', partition)))
    }
    expect([...target].filter(([name]) => name.startsWith('t1')).map(([, id]) => id).join('')).toBe('xxxyyzz')
  })

  it('gives a newcomer the end, whatever its name', () => {
    const members = ['x', 'y'].map(id => member(id, ['t1']))
    const before = assignRanges(members, [topic('t1', 6)], new Map())
    const after = assignRanges([member('a', ['t1']), ...members], [topic('t1', 6)], before)
    expect([...after.values()].join('')).toBe('xxyyaa')
  })
})
