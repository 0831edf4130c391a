// What a kind of fault is. The tables of kinds are in process-kinds.ts, network-kinds.ts, disk-kinds.ts ...
import type { SimRng } from '../../sim/rng.ts'
import type { Clients } from './clients.ts'
import type { Volumes } from './mounts.ts'
import type { World } from './world.ts'

/** What a machine may lack. */
export type Need = 'strace' | 'loop devices'

export interface Scene {
  readonly world: World
  readonly clients: Clients
  readonly volumes: Volumes
  readonly rng: SimRng
  /** Brokers that an active fault has taken, so that another one does not undo it. */
  readonly struck: Set<number>
}

/** For what is measured from it on. */
export interface Death {
  readonly of: 'member' | 'coordinator'
  /** The member's group, or the one that is coordinated. */
  readonly group: string
  /** The member, or the broker. */
  readonly name: string
  readonly atMs: number
}

export interface Strike {
  /** What was done to whom: 'kill -9 of broker 1'. */
  readonly what: string
  /** Brokers that are taken until it heals. */
  readonly brokers?: readonly number[]
  readonly death?: Death
  /** Asked when it has been undone: why nothing happened to anybody after all; empty when it struck. */
  struck? (): string
  /** Undoes it; what lasts no longer resolves at once. */
  heal (): Promise<void> | void
  /** Asked when everything is whole again, and may wait: what is wrong all the same, empty for nothing. */
  verify? (): Promise<string> | string
}

export interface FaultKind {
  readonly name: string
  /** For tables. */
  readonly about: string
  /** There is one of what it strikes: it cannot be done twice at once. */
  readonly single?: true
  /** It leaves no broker to others: of a pair it comes second. */
  readonly takesAll?: true
  /** Done in workloads with groups alone. */
  readonly ofGroups?: true
  readonly needs?: readonly Need[]
  readonly brokersMin?: number
  /** When everything is whole, it is waited for that every partition lies where it shall: what it is about. */
  readonly settles?: true
  /** Takes a copy of records away for good: not again before everything is whole. */
  readonly lossy?: boolean
  /** How long it lasts: alone, and at least and at most among others. */
  readonly lastsMs: { readonly alone: number, readonly mixed: readonly [number, number] }
  /** How often it is drawn in the mix, 1 when left out; 0 for never. */
  readonly weight?: number
  /** Undefined when it cannot be done now. */
  strike (scene: Scene, lastsMs: number): Promise<Strike | undefined> | Strike | undefined
}

/** A running broker that no other fault has taken. */
export function anyBroker ({ world, rng, struck }: Scene, where: (broker: number) => boolean = () => true):
number | undefined {
  const free = world.brokers().filter(broker => !struck.has(broker) && world.runs(broker) && where(broker))
  return free.length === 0 ? undefined : rng.pick(free)
}
