// Large groups, and many members at once: how long it takes, how much moves, how much is said. All of it in virtual
// time, with the real coordinator; at no moment does anybody read what another one reads.
import { beforeEach, expect, it } from 'vitest'
import type { ModelMember } from './world.ts'
import { group, GroupWorld } from './world.ts'

let world: GroupWorld

beforeEach(async () => {
  world = new GroupWorld()
  await world.start()
})

function members (count: number): ModelMember[] {
  return Array.from({ length: count }, () => world.member(['orders']))
}

function noDoubleOwner (): void {
  const reading = new Set<string>()
  let count = 0
  for (const { held } of world.members) {
    for (const name of held.keys()) reading.add(name)
    count += held.size
  }
  expect(reading.size).toBe(count)
}

/** Runs until nothing is left to move; the virtual time that it took, in ms. */
async function settled (withinMs: number): Promise<number> {
  const began = world.clock.now()
  do {
    await world.clock.advance(20)
    noDoubleOwner()
  } while (!(world.isSettled && world.owners.size > 0) && world.clock.now() < began + withinMs)
  expect(world.isSettled).toBe(true)
  return world.clock.now() - began
}

const sum = (all: readonly ModelMember[], of: (member: ModelMember) => number): number =>
  all.reduce((total, member) => total + of(member), 0)

function isBalanced (all: readonly ModelMember[]): void {
  const sizes = all.map(({ held }) => held.size)
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
}

it('100 joins in a second move each partition at most once after it was first given', async () => {
  world.topics.set('orders', 300)
  const all = members(100)
  for (const member of all) {
    member.join()
    await world.clock.advance(10)
    noDoubleOwner()
  }
  await settled(5_000)
  expect(sum(all, ({ received }) => received)).toBeLessThanOrEqual(2 * 300)
  isBalanced(all)
  expect(world.coordinator.group(group)!.epoch).toBeLessThan(120)
})

it('100 joins in a second take from a settled group of 350 what is theirs, and little more', async () => {
  world.topics.set('orders', 3_000)
  const first = members(350)
  for (const member of first) member.join()
  await settled(5_000)
  const before = sum(first, ({ received }) => received)
  const said = sum(first, ({ assignments }) => assignments)
  const more = members(100)
  for (const member of more) {
    member.join()
    await world.clock.advance(10)
    noDoubleOwner()
  }
  await settled(5_000)
  const all = [...first, ...more]
  isBalanced(all)
  // Nobody who was there is given anything; a newcomer that came early gives to those behind it now and then.
  expect(sum(first, ({ received }) => received)).toBe(before)
  const theirs = sum(more, ({ held }) => held.size)
  expect(sum(more, ({ received }) => received)).toBeLessThanOrEqual(1.1 * theirs)
  // Who gives something is told so and has that confirmed; who gives nothing hears nothing.
  expect(sum(first, ({ assignments }) => assignments) - said).toBeLessThanOrEqual(2 * theirs)
  expect(sum(more, ({ assignments }) => assignments)).toBeLessThanOrEqual(2 * theirs)
}, 120_000)

it('450 members with 3,000 partitions settle in seconds, and one death moves what it held', async () => {
  world.topics.set('orders', 3_000)
  const all = members(450)
  for (const member of all) member.join()
  await settled(5_000)
  isBalanced(all)
  expect(sum(all, ({ received }) => received)).toBeLessThanOrEqual(2 * 3_000)
  expect(sum(all, ({ assignments }) => assignments)).toBeLessThanOrEqual(3 * 450)

  const received = sum(all, member => member.received)
  const said = sum(all, ({ assignments }) => assignments)
  const lost = all[7]!.held.size
  all[7]!.leave()
  await settled(2_000)
  expect(sum(all, member => member.received) - received).toBe(lost)
  expect(sum(all, ({ assignments }) => assignments) - said).toBeLessThanOrEqual(2 * lost)
})
