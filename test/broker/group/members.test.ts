import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ModelMember } from './world.ts'
import { group, GroupWorld } from './world.ts'

let world: GroupWorld

beforeEach(async () => {
  world = new GroupWorld()
  world.topics.set('orders', 6)
  await world.start()
})

async function settled (withinMs = 10_000): Promise<void> {
  const limit = world.clock.now() + withinMs
  do await world.clock.advance(20)
  while (!(world.isSettled && world.owners.size > 0) && world.clock.now() < limit)
  expect(world.isSettled).toBe(true)
}

async function joined (count: number): Promise<ModelMember[]> {
  const members = Array.from({ length: count }, () => world.member(['orders']))
  for (const member of members) member.join()
  await settled()
  return members
}

const sizes = (members: readonly ModelMember[]): number[] => members.map(({ held }) => held.size)

describe('members', () => {
  it('share the partitions, and the first does not wait for the others', async () => {
    const first = world.member(['orders'])
    first.join()
    await settled(100)
    expect(first.held.size).toBe(6)
    const second = world.member(['orders'])
    second.join()
    await settled(1_000)
    expect(sizes([first, second])).toEqual([3, 3])
    // Nobody lost what it could keep.
    expect(first.received).toBe(6)
    expect(second.received).toBe(3)
  })

  it('are given a partition only when its holder has released it', async () => {
    const [first] = await joined(1)
    first!.releaseMs = 5_000
    const second = world.member(['orders'])
    second.join()
    await world.clock.advance(4_000)
    expect([first!.held.size, second.held.size]).toEqual([3, 0])
    // What it was told to release is still its own to commit.
    const [releasing] = first!.releasing.keys()
    expect(await world.clock.finish(first!.commit(releasing!, 5))).toBe('ok')
    await settled()
    expect(second.held.has(releasing!)).toBe(true)
    expect(await world.clock.finish(first!.commit(releasing!, 6))).toBe('FENCED_MEMBER')
    expect(world.coordinator.group(group)!.offsets.get(releasing!)!.offset).toBe(5)
  })

  it('lose theirs at once by leaving, after 3 s by a broken stream, after their timeout by silence', async () => {
    const [stays, leaves, breaks, falls] = await joined(4)
    leaves!.leave()
    await world.clock.until(() => world.coordinator.group(group)!.members.size === 3, 600)
    breaks!.crash()
    await world.clock.advance(2_900)
    expect(world.coordinator.group(group)!.members.size).toBe(3)
    await world.clock.until(() => world.coordinator.group(group)!.members.size === 2, 1_000)
    falls!.silent = true
    await world.clock.advance(7_500)
    expect(falls!.failure).toBeUndefined()
    await world.clock.until(() => world.coordinator.group(group)!.members.size === 1, 4_000)
    expect(falls!.failure).toMatchObject({ code: 'FENCED_MEMBER' })
    await settled()
    expect(stays!.held.size).toBe(6)
  })

  it('that die last leave an empty group behind', async () => {
    const [last] = await joined(1)
    last!.crash()
    await world.clock.until(() => world.coordinator.group(group)!.members.size === 0, 4_000)
    const [another, silent] = await joined(2)
    another!.leave()
    await world.clock.until(() => world.coordinator.group(group)!.members.size === 1, 1_000)
    silent!.silent = true
    await world.clock.until(() => world.coordinator.group(group)!.members.size === 0, 12_000)
  })

  it('that all die before the next coordinator hears of any leave an empty group behind', async () => {
    const members = await joined(2)
    for (const member of members) member.crash()
    await world.failOver()
    await world.clock.until(() => world.coordinator.group(group)!.members.size === 0, 12_000)
  })

  it('that do not release what they were told to are gone', async () => {
    const [first] = await joined(1)
    first!.releaseMs = 100_000
    const second = world.member(['orders'])
    second.join()
    await world.clock.advance(59_000)
    expect(first!.failure).toBeUndefined()
    await world.clock.until(() => second.held.size === 6, 3_000)
    expect(first!.failure).toMatchObject({ code: 'FENCED_MEMBER' })
  })

  it('keep everything when the coordinator is another broker', async () => {
    const members = await joined(3)
    const before = members.map(({ held }) => [...held].sort())
    await world.failOver()
    await world.clock.advance(2_000)
    for (const member of members) member.join()
    await settled()
    expect(members.map(({ held }) => [...held].sort())).toEqual(before)
    expect(members.map(({ received }) => received)).toEqual([2, 2, 2])
  })

  it('that do not come to the new coordinator lose theirs after their session timeout', async () => {
    const [first, second] = await joined(2)
    await world.failOver()
    first!.join()
    second!.crash()
    await world.clock.advance(9_500)
    expect(first!.held.size).toBe(3)
    await world.clock.until(() => first!.held.size === 6, 1_500)
  })

  it('find out what a lost message said', async () => {
    const [first] = await joined(1)
    const second = world.member(['orders'])
    second.releaseMs = 1e9
    second.join()
    await settled()
    // It takes its stream up again, knowing nothing of what it was given.
    second.held.clear()
    second.join()
    await settled()
    expect(sizes([first!, second])).toEqual([3, 3])
  })

  it('that take no messages for a while are told of the last state alone', async () => {
    const [first] = await joined(1)
    const second = world.member(['orders'])
    second.isBlocked = true
    second.join()
    await world.clock.advance(1_000)
    // It is given partitions that it does not hear of; then they are meant for a third.
    const others = [world.member(['orders']), world.member(['orders'])]
    for (const other of others) other.join()
    await world.clock.advance(1_000)
    second.drain()
    await settled(1_000)
    expect(sizes([first!, second, ...others]).reduce((sum, size) => sum + size, 0)).toBe(6)
  })

  it('read new partitions and new topics', async () => {
    const members = await joined(2)
    world.topics.set('orders', 10)
    await world.clock.until(() => world.owners.size === 10, 2_000)
    await settled()
    expect(sizes(members)).toEqual([5, 5])
    const both = world.member(['orders', 'later'])
    both.join()
    await settled()
    world.topics.set('later', 3)
    await world.clock.until(() => world.owners.size === 13, 2_000)
    await settled()
    expect([...both.held.keys()].filter(name => name.startsWith('later'))).toHaveLength(3)
  })

  it('keep the partitions of a topic that is away for a moment', async () => {
    const members = await joined(2)
    world.topics.delete('orders')
    await world.clock.advance(2_000)
    expect(sizes(members)).toEqual([3, 3])
    world.topics.set('orders', 6)
    await world.clock.advance(2_000)
    expect(members.map(({ received }) => received)).toEqual([3, 3])
    await settled()
  })
})

describe('a static member', () => {
  it('has its partitions again after a restart, and nobody else was disturbed', async () => {
    const [other] = await joined(1)
    const old = world.member(['orders'], { instanceId: 'worker-1' })
    old.join()
    await settled()
    const mine = [...old.held.keys()].sort()
    old.crash()
    await world.clock.advance(20_000)
    expect(other!.held.size).toBe(3)
    const next = world.member(['orders'], { instanceId: 'worker-1' })
    next.join()
    await settled(1_000)
    expect([...next.held.keys()].sort()).toEqual(mine)
    expect(other!.received).toBe(6)
    expect(await world.clock.finish(old.commit(mine[0]!, 1))).toBe('FENCED_MEMBER')
  })

  it('loses them when it does not come back in its grace time', async () => {
    const [other] = await joined(1)
    const old = world.member(['orders'], { instanceId: 'worker-1' })
    old.join()
    await settled()
    old.leave(false)
    await world.clock.advance(29_000)
    expect(other!.held.size).toBe(3)
    await world.clock.until(() => other!.held.size === 6, 3_000)
  })

  it('is not waited for to release what it inherits and was never told of', async () => {
    const old = world.member(['orders'], { instanceId: 'worker-1' })
    old.join()
    await settled()
    old.crash()
    // Another comes first: half of what the static member has is meant for it.
    const other = world.member(['orders'])
    other.join()
    await world.clock.advance(600)
    const next = world.member(['orders'], { instanceId: 'worker-1' })
    next.join()
    await settled(1_000)
    expect(sizes([next, other])).toEqual([3, 3])
  })

  it('comes back after it was taken for gone', async () => {
    const old = world.member(['orders'], { instanceId: 'worker-1' })
    old.join()
    await settled()
    old.silent = true
    await world.clock.until(() => old.failure !== undefined, 15_000)
    // At once: its going is not committed yet.
    old.silent = false
    old.join()
    await world.clock.advance(1_000)
    if (old.desk === undefined) old.join()
    await settled()
    expect([old.failure, old.held.size]).toEqual([undefined, 6])
  })

  it('is the later of two processes with its name', async () => {
    const old = world.member(['orders'], { instanceId: 'worker-1' })
    old.join()
    await settled()
    const next = world.member(['orders'], { instanceId: 'worker-1' })
    next.join()
    await settled()
    expect(old.failure).toMatchObject({ code: 'FENCED_INSTANCE' })
    expect(next.held.size).toBe(6)
    // The old one comes back: it is not its place any more.
    old.join()
    expect(old.failure).toMatchObject({ code: 'FENCED_INSTANCE' })
    await settled()
    expect(next.failure).toBeUndefined()
  })

  it('is the later of two processes that both were never told what to read', async () => {
    const old = world.member(['orders'], { instanceId: 'worker-1' })
    // Its coordinator cannot write, and goes before it could tell anything.
    world.partitions.automatic = false
    old.join()
    await world.clock.advance(500)
    const next = world.member(['orders'], { instanceId: 'worker-1' })
    world.partitions.automatic = true
    await world.failOver()
    next.join()
    old.join()
    expect(old.failure).toMatchObject({ code: 'FENCED_INSTANCE' })
    await settled()
    expect([next.failure, next.held.size]).toEqual([undefined, 6])
  })

  it('is one of two, never both, where a new coordinator hears first of the one that was never told', async () => {
    const old = world.member(['orders'], { instanceId: 'worker-1' })
    world.partitions.automatic = false
    old.join()
    await world.clock.advance(500)
    world.partitions.automatic = true
    await world.failOver()
    const next = world.member(['orders'], { instanceId: 'worker-1' })
    next.join()
    await settled()
    await world.failOver()
    // How long the owner had been asking is not in the log.
    old.join()
    await settled()
    expect([...world.coordinator.group(group)!.members.keys()]).toHaveLength(1)
    expect(old.held.size).toBe(6)
    expect(await world.clock.finish(next.commit('orders/0', 9))).toBe('FENCED_MEMBER')
    next.join()
    expect(next.failure).toMatchObject({ code: 'FENCED_INSTANCE' })
  })
})

describe('a commit', () => {
  it('of an earlier time counts no more when the partition has come back', async () => {
    const [first] = await joined(1)
    const early = first!.epoch
    const second = world.member(['orders'])
    second.join()
    await settled()
    const [moved] = second.held.keys()
    second.leave()
    await settled()
    expect(first!.held.has(moved!)).toBe(true)
    expect(await world.clock.finish(first!.commit(moved!, 3, early))).toBe('FENCED_MEMBER')
    expect(await world.clock.finish(first!.commit(moved!, 4))).toBe('ok')
  })

  it('that comes late does not undo a later one', async () => {
    const [first] = await joined(1)
    expect(await world.clock.finish(first!.commit('orders/0', 9, first!.epoch, 2))).toBe('ok')
    expect(await world.clock.finish(first!.commit('orders/0', 5, first!.epoch, 1))).toBe('ok')
    expect(world.coordinator.group(group)!.offsets.get('orders/0')!.offset).toBe(9)
  })

  it('that lies in the log behind the loss of the partition is refused, whoever reads it', async () => {
    const [first] = await joined(1)
    world.partitions.automatic = false
    first!.leave()
    const late = first!.commit('orders/0', 5)
    world.partitions.commitAll()
    expect(await world.clock.finish(late)).toBe('FENCED_MEMBER')
    world.partitions.automatic = true
    await world.failOver()
    expect(world.coordinator.group(group)!.offsets.size).toBe(0)
  })
})

// Whatever happens, in whatever order: nobody else may commit, nothing stays without an owner.
describe('any course of events', () => {
  type What = 'join' | 'crash' | 'leave' | 'silence' | 'fail over' | 'grow' | 'slow'
  type Act = readonly [what: What, who: number, ms: number]
  const acts: fc.Arbitrary<Act[]> = fc.array(fc.tuple(
    fc.constantFrom<What[]>('join', 'join', 'join', 'crash', 'leave', 'silence', 'fail over', 'grow', 'slow'),
    fc.nat(7), fc.nat(4_000)), { maxLength: 25 })

  async function act ([what, who, ms]: Act): Promise<void> {
    const member = world.members[who % world.members.length]!
    const isLive = member.desk !== undefined
    if (what === 'join' && !isLive) member.join()
    if (what === 'crash') member.crash()
    if (what === 'leave') member.leave()
    if (what === 'silence') member.silent = !member.silent
    if (what === 'slow') member.releaseMs = member.releaseMs === 0 ? 1_500 : 0
    if (what === 'grow') world.topics.set('orders', Math.min(12, world.topics.get('orders')! + 1))
    if (what === 'fail over') {
      await world.failOver()
      for (const each of world.members) if (each.failure?.code === 'NOT_COORDINATOR') each.join()
    }
    await world.clock.advance(ms)
  }

  /** Everybody commits everything that it ever held: only owners may. */
  async function onlyOwnersCommit (offset: number): Promise<void> {
    for (const name of world.owners.keys()) {
      const takers: string[] = []
      for (const member of world.members) {
        if (await world.clock.finish(member.commit(name, offset)) === 'ok') takers.push(member.wish.id)
      }
      expect(takers.length).toBeLessThanOrEqual(1)
      const owner = world.owners.get(name)
      if (takers.length === 1 && owner !== undefined) expect(takers).toEqual([owner])
      for (const member of world.members) if (member.held.has(name)) expect([member.wish.id]).toEqual(takers)
    }
  }

  it('leaves no partition with two owners, and in the end none without one', async () => {
    await fc.assert(fc.asyncProperty(acts, async course => {
      world = new GroupWorld()
      world.topics.set('orders', 5)
      await world.start()
      for (let index = 0; index < 6; index++) {
        world.member(['orders'], index % 3 === 0 ? { instanceId: `i${index}`, instanceGraceMs: 2_000 } : {})
      }
      for (const [index, each] of course.entries()) {
        await act(each)
        const reading = world.members.flatMap(({ held }) => [...held.keys()])
        expect(new Set(reading).size).toBe(reading.length)
        if (index % 5 === 4) await onlyOwnersCommit(index)
      }
      for (const member of world.members) {
        member.silent = false
        if (member.desk === undefined) member.join()
      }
      await world.clock.until(() => world.isSettled && world.owners.size === world.topics.get('orders'), 80_000)
    }), { numRuns: 25 })
  })
})
