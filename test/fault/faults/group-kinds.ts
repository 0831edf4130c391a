// Faults of groups: members that die, stand still, come and go; coordinators that die and stand still.
import { utf8 } from '../../../wire/bytes.ts'
import { partitionOfKey } from '../../../wire/murmur2.ts'
import { nowMs } from './clock.ts'
import { anyBroker } from './kind.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { killed, pausedBroker } from './process-kinds.ts'
import { placedRows } from './tables.ts'
import type { World } from './world.ts'

interface Member { readonly name: string, readonly group: string }

function anyMember ({ clients, rng }: Scene): Member | undefined {
  const members = clients.members()
  return members.length === 0 ? undefined : rng.pick(members)
}

function killMember (scene: Scene): Strike | undefined {
  const member = anyMember(scene)
  if (member === undefined) return undefined
  const { name, group } = member
  const death = { of: 'member' as const, group, name, atMs: nowMs() }
  scene.clients.kill(name)
  return { what: `kill -9 of ${name} of ${group}`, death, heal: () => { scene.clients.join(group) } }
}

function pauseMember (scene: Scene): Strike | undefined {
  const member = anyMember(scene)
  if (member === undefined) return undefined
  return { what: `SIGSTOP of ${member.name} of ${member.group}`, heal: scene.clients.pause(member.name) }
}

function leave (scene: Scene): Strike | undefined {
  const member = anyMember(scene)
  if (member === undefined) return undefined
  scene.clients.leave(member.name)
  return { what: `${member.name} leaves ${member.group}`, heal: () => { scene.clients.join(member.group) } }
}

function join ({ clients, rng }: Scene): Strike {
  const group = rng.pick(clients.groups)
  const name = clients.join(group)
  return { what: `${name} joins ${group}`, heal: () => { clients.leave(name) } }
}

/** The broker that leads the group's partition of __groups, -1 for none. */
function coordinatorOf (world: World, group: string): number {
  const rows = placedRows(world.api).filter(({ topic }) => topic === '__groups').map(({ row }) => row)
  const index = partitionOfKey(utf8(group), rows.length)
  return rows.find(({ partition }) => partition === index)?.leader ?? -1
}

function killCoordinator (scene: Scene): Strike | undefined {
  const group = scene.rng.pick(scene.clients.groups)
  const broker = anyBroker(scene, each => each === coordinatorOf(scene.world, group))
  if (broker === undefined) return undefined
  const death = { of: 'coordinator' as const, group, name: `broker ${broker}`, atMs: nowMs() }
  return { ...killed(scene.world, [broker], `kill -9 of the coordinator of ${group}, broker ${broker}`), death }
}

function pauseCoordinator (scene: Scene): Strike | undefined {
  const group = scene.rng.pick(scene.clients.groups)
  return pausedBroker(scene, broker => broker === coordinatorOf(scene.world, group))
}

const ofGroups = true

export const groupKinds: readonly FaultKind[] = [
  {
    name: 'member kill',
    about: '`kill -9` of a member',
    ofGroups, weight: 4, lastsMs: { alone: 6_000, mixed: [0, 8_000] }, strike: killMember
  },
  {
    name: 'member pause',
    about: 'SIGSTOP of a member',
    ofGroups, weight: 3, lastsMs: { alone: 10_000, mixed: [500, 15_000] }, strike: pauseMember
  },
  {
    name: 'member leave',
    about: 'a member leaves',
    ofGroups, weight: 3, lastsMs: { alone: 3_000, mixed: [0, 5_000] }, strike: leave
  },
  {
    name: 'member join',
    about: 'a member joins and leaves',
    ofGroups, weight: 3, lastsMs: { alone: 5_000, mixed: [1_000, 10_000] }, strike: join
  },
  {
    name: 'coordinator kill',
    about: "`kill -9` of a group's coordinator",
    ofGroups, weight: 3, lastsMs: { alone: 3_000, mixed: [0, 8_000] }, strike: killCoordinator
  },
  {
    name: 'coordinator pause',
    about: "SIGSTOP of a group's coordinator",
    ofGroups, weight: 2, lastsMs: { alone: 8_000, mixed: [1_000, 15_000] },
    strike: pauseCoordinator
  }
]
