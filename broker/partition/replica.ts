// One replica: takes the role that the newest row gives it. replication.md: "Pushes", "Election and fencing".
import { assert } from '../assert.ts'
import type { ReplicaLog } from '../log/contract.ts'
import type { ReplicaEnds, ReplicaReport } from '../../wire/messages.ts'
import type { WireError } from '../../wire/errors.ts'
import { hasIdentity, isNewerRow, nobody } from '../row.ts'
import type { PartitionRow, ReplicaIdentity } from '../row.ts'
import { epochAt, hasEmptyEpoch, lastEpoch } from './epochs.ts'
import { Follower } from './follower.ts'
import { isReplica } from './in-sync.ts'
import { Leader } from './leader.ts'
import type { LeaderEffects } from './leader.ts'
import { PendingAppends } from './pending-appends.ts'
import { encodeProducers } from './producer-snapshot.ts'
import { ProducerStates } from './producer-state.ts'
import { ReplicaState } from './state.ts'

/** What replicas do to the world. */
export interface ReplicaEffects extends Omit<LeaderEffects, 'moved'> {
  now (): number
  /** The high watermark of this leader moved: followers are to hear of it by and by. */
  moved (replica: Replica): void
  /** Calls back when everything journaled so far is durable. */
  whenDurable (callback: () => void): void
  /** Keeps a subscription for this follower until unfollow. */
  follow (follower: Follower): void
  unfollow (follower: Follower): void
  /** More is durable at this follower. */
  acknowledge (follower: Follower): void
  /** The replica took another role, or began to serve in one. */
  roleChanged (replica: Replica): void
  damaged (replica: Replica): void
  /** NOT_LEADER or LEADER_NOT_AVAILABLE, with a hint from the row. */
  notLeader (row: PartitionRow | undefined): WireError
}

export class Replica {
  readonly log: ReplicaLog
  readonly identity: ReplicaIdentity
  readonly state: ReplicaState
  readonly producers = new ProducerStates()
  readonly #effects: ReplicaEffects
  readonly #pending: PendingAppends
  /** Appends in an epoch that the disk held at the start might repeat what was lost: never lead in one. */
  readonly #bootEpoch: number
  #leader: Leader | undefined
  #follower: Follower | undefined
  #damaged = ''
  #disputed = false
  #closed = false
  #toldLogStart: number
  #waiters = new Set<() => void>()

  /** @param fresh the log was made by this process: no epoch lies on disk. */
  constructor (log: ReplicaLog, identity: ReplicaIdentity, fresh: boolean, effects: ReplicaEffects) {
    this.log = log
    this.identity = identity
    this.state = new ReplicaState(log, identity, this.producers, callback => { effects.whenDurable(callback) })
    this.state.onSettled = () => { this.#durable() }
    this.#effects = effects
    this.#pending = new PendingAppends(effects.stats)
    this.#toldLogStart = log.logStart
    this.#bootEpoch = fresh ? -1 : log.leaderEpochSeen
    log.onDurable = () => { this.#durable() }
    log.onDamaged = reason => { this.damage(reason) }
    log.snapshotProducers = () => encodeProducers(this.producers)
  }

  /** Defined while this replica leads; it may not be `ready` yet. */
  get leader (): Leader | undefined { return this.#leader }
  get follower (): Follower | undefined { return this.#follower }
  /** The last row adopted. */
  get row (): PartitionRow | undefined { return this.log.row }
  /**
   * Why this replica is out of use. Damage that recovery found is not: that replica has a new generation,
   * and is a learner like any other.
   */
  get damaged (): string { return this.#damaged }
  /** It and its leader differ in what is committed: it need not be this replica that is wrong. */
  get disputed (): boolean { return this.#disputed }
  /** True when the row gives this broker a replica. */
  get assigned (): boolean { return this.row !== undefined && isReplica(this.row, this.identity.brokerId) }

  /** A row from the controller or a peer. Older ones than the last adopted are ignored. */
  adopt (row: PartitionRow): void {
    if (this.#closed || row.leaderEpoch < this.log.leaderEpochSeen) return
    const current = this.log.row
    const newer = isNewerRow(row, current)
    if (!newer && (row.leaderEpoch !== current?.leaderEpoch || row.version !== current.version)) return
    if (newer) this.log.setRow(row)
    if (hasIdentity(row.barred, this.identity)) this.damage('a person declared it lost')
    this.#takeRole(row, newer)
  }

  #takeRole (row: PartitionRow, newer: boolean): void {
    const lead = this.#mayLead(row)
    const leader = this.#leader
    if (leader !== undefined) {
      if (lead && leader.epoch === row.leaderEpoch) {
        if (newer) this.#adoptAsLeader(leader, row)
        return
      }
      this.#resign(leader, row, lead)
    }
    if (lead) {
      this.#stopFollowing()
      this.#lead(row)
      return
    }
    const { brokerId } = this.identity
    if (this.#damaged !== '' || row.leader === nobody || row.leader === brokerId || !isReplica(row, brokerId)) {
      this.#stopFollowing()
      this.#effects.roleChanged(this)
      return
    }
    if (this.#follower?.epoch === row.leaderEpoch) {
      // Readers go elsewhere when the in-sync set goes on without it.
      if (newer) this.wake()
      return
    }
    this.#stopFollowing()
    this.#follow(row)
  }

  #mayLead (row: PartitionRow): boolean {
    return row.leader === this.identity.brokerId && hasIdentity(row.inSync, this.identity) &&
      row.leaderEpoch > this.#bootEpoch && this.#damaged === ''
  }

  #adoptAsLeader (leader: Leader, row: PartitionRow): void {
    leader.adopt(row, this.#effects.now())
    this.#effects.whenDurable(() => {
      if (this.#leader === leader) leader.durable(row, this.#effects.now())
    })
  }

  #resign (leader: Leader, row: PartitionRow | undefined, leadsAgain: boolean): void {
    this.#leader = undefined
    this.#effects.stats.leadershipsEnded++
    const error = this.#effects.notLeader(row)
    leader.resign(error, row)
    // A leader that goes on in a higher epoch keeps its log: what waits is committed in the new epoch.
    if (!leadsAgain) this.#pending.fail(error)
    this.wake()
  }

  #lead (row: PartitionRow): void {
    const { log } = this
    assert(this.state.highWatermark <= log.logEnd, 'the log holds everything that is known to be committed')
    if (hasEmptyEpoch(log)) log.truncate(log.logEnd)
    const { now, stats, broker, changeInSync } = this.#effects
    const moved = () => {
      this.#effects.moved(this)
      this.wake()
    }
    const leader = new Leader(this.state, row, this.#pending, { stats, broker, changeInSync, moved }, now())
    this.#leader = leader
    stats.leadershipsBegun++
    this.#effects.roleChanged(this)
    this.#effects.whenDurable(() => {
      if (this.#leader !== leader) return
      leader.serve(now())
      this.#effects.roleChanged(this)
    })
  }

  #follow (row: PartitionRow): void {
    const follower = new Follower(this.state, row, this.#effects.stats, () => { this.wake() })
    this.#follower = follower
    this.#effects.roleChanged(this)
    // The epoch must be on disk before anything is acknowledged in it, else a crash would let this replica
    // go back to an older leader.
    this.#effects.whenDurable(() => {
      if (this.#follower === follower) this.#effects.follow(follower)
    })
  }

  #stopFollowing (): void {
    const follower = this.#follower
    if (follower === undefined) return
    this.#follower = undefined
    this.#effects.unfollow(follower)
    follower.unheard()
  }

  #durable (): void {
    if (this.#leader !== undefined) this.#leader.advance(this.#effects.now())
    else if (this.#follower !== undefined) this.#effects.acknowledge(this.#follower)
  }

  /** Must neither be counted nor elected any more; the roster makes another in its place if it may. */
  damage (reason: string, disputed = false): void {
    if (this.#damaged !== '') return
    this.#damaged = reason
    this.#disputed = disputed
    this.#stopFollowing()
    this.#effects.damaged(this)
  }

  /** The topic is gone: no role any more, until a row gives one again. */
  retire (): void {
    this.#stopFollowing()
    if (this.#leader !== undefined) this.#resign(this.#leader, undefined, false)
    this.#effects.roleChanged(this)
  }

  /** Ends every role: the process stops, or the replica goes. */
  close (): void {
    this.#closed = true
    this.retire()
    this.wake()
    this.log.onDurable = undefined
    this.log.onDamaged = undefined
    this.log.snapshotProducers = undefined
  }

  // Readers

  /** True when the log start has moved since it was last asked. */
  takeLogStartNews (): boolean {
    const { logStart } = this.log
    if (logStart === this.#toldLogStart) return false
    this.#toldLogStart = logStart
    return true
  }

  /** Calls back once at the next change of high watermark, log start or role. */
  whenChanged (callback: () => void): () => void {
    this.#waiters.add(callback)
    return () => { this.#waiters.delete(callback) }
  }

  wake (): void {
    if (this.#waiters.size === 0) return
    const waiters = this.#waiters
    this.#waiters = new Set()
    for (const callback of waiters) callback()
  }

  // What the controller wants to know

  report (): ReplicaReport {
    const { log } = this
    return {
      topicId: log.topicId,
      partition: log.partition,
      topic: log.topic,
      replicaGen: log.replicaGen,
      row: log.row,
      logStart: log.logStart,
      durableEnd: this.state.durableEnd,
      highWatermark: this.state.highWatermark,
      lastEpoch: lastEpoch(log),
      leaderEpochSeen: log.leaderEpochSeen,
      damaged: this.damaged,
      removed: false
    }
  }

  ends (): ReplicaEnds {
    const { log } = this
    const { durableEnd } = this.state
    return {
      topicId: log.topicId,
      partition: log.partition,
      identity: this.identity,
      lastEpoch: epochAt(log, durableEnd - 1),
      durableEnd,
      highWatermark: this.state.highWatermark,
      present: this.#damaged === ''
    }
  }
}
