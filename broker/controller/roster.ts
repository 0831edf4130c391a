// Who is there: the sessions, what became of brokers without one, and what the rules want to know of them.
import type { BrokerInfo, PartitionRow, ReplicaIdentity } from '../../wire/messages.ts'
import type { Clock } from '../../wire/ports.ts'
import { WireError } from '../../wire/errors.ts'
import * as limits from '../limits.ts'
import type { Boot } from '../log/contract.ts'
import { firstReplicaGen, nobody, partitionKeyText } from '../row.ts'
import type { BrokerSession } from './broker-session.ts'
import type { Facts, MemberState, Standing } from './facts.ts'

/** A session that was not heard for so long has missed several heartbeats. */
const attentiveMs = 1_000

interface Absence {
  /** Clock time of the last sign of life. */
  heardAt: number
  /** Of the session that ended, if there was one here; for DUPLICATE_BROKER. */
  readonly volumeId: string
  readonly endedAt: number
  gone: boolean
}

/** Brokers as the root table has them. */
export type Registry = () => ReadonlyMap<number, BrokerInfo>

export class Roster implements Facts {
  readonly #clock: Clock
  readonly #registry: Registry
  readonly #sessions = new Map<number, BrokerSession>()
  readonly #absent = new Map<number, Absence>()
  /** When a partition was last taken from a struggling leader, by partition key. */
  readonly #movedAt = new Map<string, number>()

  /** Leaders that a person chose against the order of preference, by partition key. */
  readonly #chosen = new Map<string, { leader: number, leaderEpoch: number }>()

  constructor (clock: Clock, registry: Registry) {
    this.#clock = clock
    this.#registry = registry
  }

  /** In order of broker id. */
  sessions (): BrokerSession[] {
    return [...this.#sessions.values()].sort((a, b) => a.brokerId - b.brokerId)
  }

  session (brokerId: number): BrokerSession | undefined {
    return this.#sessions.get(brokerId)
  }

  /** Why a session may not have this broker id; undefined: it may. */
  refuse (info: BrokerInfo, boots: readonly Boot[] = []): WireError | undefined {
    const session = this.#sessions.get(info.brokerId)
    const absence = this.#absent.get(info.brokerId)
    const known = session?.info ?? this.#registry().get(info.brokerId)
    if (known === undefined) return undefined
    const sessionJustEnded = absence !== undefined && absence.volumeId === known.volumeId &&
      this.#clock.now() - absence.endedAt < limits.duplicateBrokerMs
    if (known.volumeId !== info.volumeId) {
      // A replaced volume has to wait, so that two pods with one broker id cannot take turns.
      return session !== undefined || sessionJustEnded || absence?.gone === false
        ? new WireError('DUPLICATE_BROKER', `broker ${info.brokerId} is registered with volume ${known.volumeId}`)
        : undefined
    }
    // The opening that has registered is not one of this volume's: it is a copy from before, opened more often since.
    const isFork = boots.some(boot => boot.brokerEpoch === known.brokerEpoch && boot.incarnation !== known.incarnation)
    if (!isFork && (info.brokerEpoch > known.brokerEpoch || info.incarnation === known.incarnation)) {
      return undefined
    }
    return session !== undefined
      ? new WireError('DUPLICATE_BROKER', `a newer process has broker id ${info.brokerId} and its volume`)
      : new WireError('VOLUME_ROLLED_BACK', `volume ${info.volumeId} opens for the ${info.brokerEpoch}. time, ` +
        `but has registered after the ${known.brokerEpoch}.${isFork ? ', which it knows nothing of' : ''}`)
  }

  /** The session takes its broker's place; answers the one that had it before. */
  admit (session: BrokerSession): BrokerSession | undefined {
    const old = this.#sessions.get(session.brokerId)
    this.#sessions.set(session.brokerId, session)
    this.#absent.delete(session.brokerId)
    return old
  }

  /** The session ended. False when it was not its broker's session any more. */
  dismiss (session: BrokerSession): boolean {
    // One that was refused before it registered is nobody's.
    if (!session.isNamed || this.#sessions.get(session.brokerId) !== session) return false
    this.#sessions.delete(session.brokerId)
    this.#absent.set(session.brokerId, {
      heardAt: session.reachedAt, volumeId: session.info.volumeId, endedAt: this.#clock.now(), gone: false
    })
    return true
  }

  /** A broker of the table that has no session yet. */
  miss (brokerId: number, heardAt: number): void {
    if (this.#sessions.has(brokerId) || this.#absent.has(brokerId)) return
    this.#absent.set(brokerId, { heardAt, volumeId: '', endedAt: -Infinity, gone: false })
  }

  heard (brokerId: number): void {
    const absence = this.#absent.get(brokerId)
    if (absence !== undefined) absence.heardAt = this.#clock.now()
  }

  /** It is gone: to be fenced. False when that was known, or it is back. */
  bury (brokerId: number): boolean {
    const absence = this.#absent.get(brokerId)
    if (absence === undefined || absence.gone) return false
    absence.gone = true
    return true
  }

  isGone (brokerId: number): boolean {
    return this.#absent.get(brokerId)?.gone === true
  }

  /** Without a session and not given up, in order of broker id. */
  missing (): number[] {
    return [...this.#absent].flatMap(([brokerId, absence]) => absence.gone ? [] : [brokerId]).sort((a, b) => a - b)
  }

  /** Milliseconds since the last sign of life of a broker without a session. */
  silentMs (brokerId: number): number {
    const absence = this.#absent.get(brokerId)
    return absence === undefined ? 0 : this.#clock.now() - absence.heardAt
  }

  /** This process was not running for a while: nobody can be blamed for having been silent then. */
  forgive (ms: number): void {
    for (const session of this.#sessions.values()) session.forgive(ms)
    for (const absence of this.#absent.values()) absence.heardAt += ms
  }

  /**
   * Fewer than half of the unfenced brokers have a session. With `attentive` a session counts only if it
   * was heard a moment ago: when the network is cut, sessions fall silent one after the other.
   */
  isMinority (attentive: boolean): boolean {
    const since = attentive ? this.#clock.now() - attentiveMs : -Infinity
    const unfenced = [...this.#registry().values()].filter(broker => !broker.fenced)
    const present =
      unfenced.filter(broker => (this.#sessions.get(broker.brokerId)?.reachedAt ?? -Infinity) > since).length
    return present * 2 < unfenced.length
  }

  moved (key: string): void {
    this.#movedAt.set(key, this.#clock.now())
  }

  movedLately (key: string): boolean {
    return this.#clock.now() - (this.#movedAt.get(key) ?? -Infinity) < limits.leadershipMoveMs
  }

  /** A person wants `leader`: it stays until the partition gets another leader. */
  choose (row: PartitionRow, leader: number): void {
    const key = partitionKeyText(row.topicId, row.partition)
    if (leader === row.replicas[0] || this.#chosen.size >= limits.partitionsPerRequestMax) this.#chosen.delete(key)
    else this.#chosen.set(key, { leader, leaderEpoch: row.leader === leader ? row.leaderEpoch : row.leaderEpoch + 1 })
  }

  isChosen (row: PartitionRow): boolean {
    const chosen = this.#chosen.get(partitionKeyText(row.topicId, row.partition))
    return chosen?.leader === row.leader && chosen.leaderEpoch === row.leaderEpoch
  }

  /** The cluster knows the broker no more. */
  forget (brokerId: number): void {
    this.#absent.delete(brokerId)
  }

  /** True once the root table names this very incarnation, unfenced. */
  isCurrent (session: BrokerSession): boolean {
    const known = this.#registry().get(session.brokerId)
    return known !== undefined && !known.fenced && known.volumeId === session.info.volumeId &&
      known.incarnation === session.info.incarnation
  }

  member (topicId: string, partition: number, identity: ReplicaIdentity): MemberState {
    const session = this.#sessions.get(identity.brokerId)
    if (session === undefined) {
      const known = this.#registry().get(identity.brokerId)
      const wiped = known !== undefined && known.volumeId !== identity.volumeId
      return wiped || !this.#absent.has(identity.brokerId) || this.isGone(identity.brokerId) ? 'dead' : 'missing'
    }
    if (session.info.volumeId !== identity.volumeId) return 'dead'
    const report = session.replicas.get(partitionKeyText(topicId, partition))
    // One made with its partition is there before it is reported; others never are.
    const made = report?.replicaGen ?? firstReplicaGen
    if (made !== identity.replicaGen || (report !== undefined && report.damaged !== '')) return 'dead'
    return session.stopping ? 'stopping' : 'live'
  }

  leadership (row: PartitionRow): Standing {
    const { topicId, partition, leader } = row
    if (leader === nobody) return 'lost'
    const states = row.inSync.filter(member => member.brokerId === leader)
      .map(member => this.member(topicId, partition, member))
    const session = this.#sessions.get(leader)
    if (session === undefined) return states.includes('missing') ? 'stands' : 'lost'
    if (states.every(state => state === 'dead')) return 'lost'
    const key = partitionKeyText(topicId, partition)
    if (session.state !== 'registered' && session.elected.get(key) !== row.leaderEpoch && !this.isCurrent(session)) {
      return 'lost'
    }
    if (session.stopping) return 'leaving'
    const struggles = session.isStalled || session.starved.has(key)
    return struggles && !this.movedLately(key) ? 'leaving' : 'stands'
  }

  registered (brokerId: number): BrokerInfo | undefined {
    const session = this.#sessions.get(brokerId)
    return session?.state === 'registered' && this.isCurrent(session) ? session.info : undefined
  }

  /** Registered and not on its way out: may get replicas. */
  isServing (brokerId: number): boolean {
    return this.registered(brokerId) !== undefined && this.#sessions.get(brokerId)?.stopping === false
  }

  /** Could the broker lead well: its disk answers, and enough members of the set can be reached? */
  isFit (row: PartitionRow, brokerId: number): boolean {
    const session = this.#sessions.get(brokerId)
    if (session === undefined || session.isStalled) return false
    const reached = row.inSync.filter(member => member.brokerId === brokerId ||
      (this.member(row.topicId, row.partition, member) === 'live' && this.#reach(member.brokerId, brokerId)))
    return reached.length >= row.minInSync
  }

  /** Could every live member of the set follow the broker, as far as is known? */
  reachesAll (row: PartitionRow, brokerId: number): boolean {
    return row.inSync.every(member => member.brokerId === brokerId ||
      this.member(row.topicId, row.partition, member) !== 'live' || this.#reach(member.brokerId, brokerId))
  }

  #reach (a: number, b: number): boolean {
    return this.#sessions.get(a)?.unreachable.has(b) !== true && this.#sessions.get(b)?.unreachable.has(a) !== true
  }

  isCutOff (brokerId: number, leader: number): boolean {
    const sinceMs = this.#sessions.get(brokerId)?.unreachable.get(leader)
    const session = this.#sessions.get(leader)
    if (sinceMs === undefined || session?.state !== 'registered') return false
    const now = this.#clock.now()
    // A leader that is silent here too is about to be fenced, and one that has just come is yet to be found.
    return now - session.heardAt < attentiveMs && now - Math.max(sinceMs, session.registeredAt) >= limits.cutOffMs
  }

  isStalled (brokerId: number): boolean {
    return this.#sessions.get(brokerId)?.isStalled === true
  }

  highWatermarkSeen (topicId: string, partition: number): number {
    const key = partitionKeyText(topicId, partition)
    let highest = 0
    for (const session of this.#sessions.values()) {
      highest = Math.max(highest, session.replicas.get(key)?.highWatermark ?? 0)
    }
    return highest
  }
}
