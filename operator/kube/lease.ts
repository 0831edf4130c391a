// Leader election by a Lease, as client-go's: 15 s lease, 10 s renew deadline, 2 s retry. Another's
// lease is judged by how long ago this process saw it change, never by the time written in it. It is
// liveness only: everything the operator writes is safe with two of them.
import type { Clock, Rng, Timer } from '../../wire/ports.ts'
import { isKubeError, type KubeApi } from './api.ts'
import type { Log } from './log.ts'
import { microTime } from './micro-time.ts'
import { kinds, type KubeObject } from './types.ts'

const leaseDurationMs = 15_000
const renewDeadlineMs = 10_000
const retryPeriodMs = 2_000
/** Statuses of a server that is not well, or not yet. */
const serverErrors = 500

export interface LeaseOptions {
  readonly api: KubeApi
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly namespace: string
  readonly name: string
  /** Unique among living processes. A restarted one with the same identity takes its Lease at once. */
  readonly identity: string
  /** Holds the Lease; called once. */
  readonly onAcquired: () => void
  /**
   * Held it and could not renew it: exit. Called once, and not before the API server answers: until then a new process
   * could do nothing either, and would be started later each time. Meanwhile `isStale` keeps this one from writing.
   */
  readonly onLost: () => void
}

interface LeaseSpec {
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  readonly acquireTime?: string
  readonly renewTime?: string
  readonly leaseTransitions?: number
}

export class LeaderLease {
  readonly #options: LeaseOptions
  #timer: Timer | undefined
  #held: KubeObject | undefined
  #renewedAt = 0
  #seen: { readonly version: string, readonly at: number } | undefined
  #round: Promise<void> = Promise.resolve()
  #isLost = false
  #stopped = false

  constructor (options: LeaseOptions) {
    this.#options = options
  }

  get isLeader (): boolean { return this.#held !== undefined }

  /**
   * It led, and has not renewed for so long that another may lead by now: this process stood still, or the API server
   * did not answer. True before the next turn notices, which is when it matters.
   */
  get isStale (): boolean {
    return this.#isLost || this.#held !== undefined && this.#options.clock.now() - this.#renewedAt >= renewDeadlineMs
  }

  start (): void {
    this.#round = this.#turn()
  }

  /** Gives the Lease up, so that the next leader need not wait; resolves within one request. */
  async stop (): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#timer?.cancel()
    await this.#round
    const held = this.#held
    this.#held = undefined
    if (held === undefined) return
    const { api, clock, log } = this.#options
    try {
      const spec: LeaseSpec = {
        ...held['spec'] as LeaseSpec,
        holderIdentity: '',
        leaseDurationSeconds: 1,
        renewTime: microTime(clock.wallTime())
      }
      await api.replace(kinds.lease, { ...held, spec })
    } catch (error) {
      if (!isKubeError(error)) throw error
      log.info({ reason: error.reason, err: error.message }, 'Lease not released')
    }
  }

  async #turn (): Promise<void> {
    const { clock, rng, log, onAcquired, onLost } = this.#options
    const wasLeader = this.isLeader
    let isAnswered = true
    try {
      await (this.#isLost ? this.#look() : this.#acquireOrRenew())
    } catch (error) {
      if (!isKubeError(error)) throw error
      isAnswered = error.status > 0 && error.status < serverErrors
      log.warn({ reason: error.reason, err: error.message }, 'Lease cannot be read or written')
    }
    if (wasLeader && (!this.isLeader || this.isStale)) {
      this.#isLost = true
      this.#held = undefined
      if (!isAnswered) log.error({}, 'the API server does not answer, the Lease is lost: nothing is written any more')
    }
    // Who is being stopped ends by itself.
    if (this.#isLost && isAnswered && !this.#stopped) {
      this.#stopped = true
      onLost()
    }
    if (this.#stopped) return
    if (!wasLeader && this.isLeader) onAcquired()
    this.#timer = clock.setTimer(retryPeriodMs * (1 + 0.2 * rng.fraction()), () => { this.#round = this.#turn() })
  }

  /** Whether the API server answers. */
  async #look (): Promise<void> {
    const { api, namespace, name } = this.#options
    await api.get(kinds.lease, namespace, name)
  }

  async #acquireOrRenew (): Promise<void> {
    if (this.#held !== undefined && await this.#renew(this.#held)) return
    const { api, clock, namespace, name, identity } = this.#options
    const askedAt = clock.now()
    const lease = await api.get(kinds.lease, namespace, name)
    const now = microTime(clock.wallTime())
    const mine = { holderIdentity: identity, leaseDurationSeconds: leaseDurationMs / 1000, renewTime: now }
    if (lease === undefined) {
      this.#held = undefined
      this.#take(await api.create(kinds.lease, {
        apiVersion: kinds.lease.apiVersion,
        kind: kinds.lease.kind,
        metadata: { name, namespace, labels: { 'app.kubernetes.io/name': 'millrace' } },
        spec: { ...mine, acquireTime: now, leaseTransitions: 0 }
      }), askedAt)
      return
    }
    const spec = lease['spec'] as LeaseSpec
    const version = lease.metadata.resourceVersion ?? ''
    if (this.#seen?.version !== version) this.#seen = { version, at: clock.now() }
    const holder = spec.holderIdentity ?? ''
    if (holder !== identity) {
      // Somebody took it: whatever the clocks say, this process leads no more.
      this.#held = undefined
      if (holder !== '' && clock.now() - this.#seen.at < leaseDurationMs) return
    }
    this.#take(await api.replace(kinds.lease, {
      ...lease,
      spec: {
        ...spec,
        ...mine,
        ...holder !== identity && { acquireTime: now, leaseTransitions: (spec.leaseTransitions ?? 0) + 1 }
      }
    }), askedAt)
  }

  /** By what was stored last, unread: false when it has changed or is gone. */
  async #renew (held: KubeObject): Promise<boolean> {
    const { api, clock } = this.#options
    const askedAt = clock.now()
    const spec: LeaseSpec = { ...held['spec'] as LeaseSpec, renewTime: microTime(clock.wallTime()) }
    try {
      this.#take(await api.replace(kinds.lease, { ...held, spec }), askedAt)
      return true
    } catch (error) {
      if (!isKubeError(error, 'Conflict', 'NotFound')) throw error
      return false
    }
  }

  #take (lease: KubeObject, askedAt: number): void {
    this.#held = lease
    this.#renewedAt = askedAt
  }
}
