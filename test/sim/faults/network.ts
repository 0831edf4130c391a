// Links that are cut or slow, connections that break.
import { kubeHost } from '../kube.ts'
import type { networkFaults } from './kinds.ts'
import type { Fault, FaultWorld } from './world.ts'

type Pairs = readonly (readonly [from: string, to: string])[]

export function cut (world: FaultWorld, pairs: Pairs): boolean {
  const { network } = world.cluster
  for (const [from, to] of pairs) network.cut(from, to)
  world.cuts++
  world.until(world.rng.exponential(world.rng.pick([300, 3_000, 12_000])), () => {
    world.cuts--
    for (const [from, to] of pairs) network.heal(from, to)
  })
  return pairs.length > 0
}

function names (world: FaultWorld): string[] { return world.cluster.brokers.map(({ host }) => host) }

/** Every pair of two brokers for which `isCut` says so. */
function pairs (world: FaultWorld, isCut: (a: string, b: string) => boolean): Pairs {
  const all = names(world)
  return all.flatMap((a) => all.filter((b) => a !== b && isCut(a, b)).map((b) => [a, b] as const))
}

function oneWay (world: FaultWorld, host: string): Pairs {
  return names(world).filter((name) => name !== host)
    .map((name) => world.rng.chance(0.5) ? [host, name] : [name, host])
}

function halves (world: FaultWorld): Pairs {
  const all = names(world)
  const some = world.rng.shuffle(all).slice(0, 1 + world.rng.integer(all.length - 1))
  return pairs(world, (a, b) => some.includes(a) !== some.includes(b))
}

/** Everyone reaches two neighbours only: no two agree on who is there. */
function ring (world: FaultWorld): Pairs {
  const all = names(world)
  return pairs(world, (a, b) => {
    const distance = Math.abs(all.indexOf(a) - all.indexOf(b))
    return distance !== 1 && distance !== all.length - 1
  })
}

function slowLink (world: FaultWorld, from: string): boolean {
  const { rng, cluster } = world
  const to = rng.pick(names(world))
  if (from === to) return false
  const link = cluster.network.link(from, to)
  link.slowness = rng.pick([10, 100, 1_000])
  world.until(rng.exponential(5_000), () => { link.slowness = 1 })
  return true
}

function breakOne ({ cluster, rng }: FaultWorld): boolean {
  const connections = cluster.network.connections()
  if (connections.length > 0) rng.pick(connections).break()
  return connections.length > 0
}

export const onNetwork: Record<typeof networkFaults[number], Fault> = {
  isolate: (world, { host }) => cut(world, pairs(world, (a, b) => a === host || b === host)),
  'one way': (world, { host }) => cut(world, oneWay(world, host)),
  halves: (world) => cut(world, halves(world)),
  ring: (world) => cut(world, ring(world)),
  'client cut': (world, { host }) => cut(world, world.victims.hosts.flatMap((client) =>
    [[client, host], [host, client]] as const)),
  'slow link': (world, { host }) => slowLink(world, host),
  break: (world) => breakOne(world)
}

export function cutFromKube (world: FaultWorld, host: string): boolean {
  return cut(world, world.rng.chance(0.5) ? [[host, kubeHost]] : [[kubeHost, host]])
}
