// What a consumer reads as a member of a group: partitions come and go one by one, the others go on.
import type { Timer } from '../wire/ports.ts'
import type { CommittedOffset } from '../wire/messages.ts'
import type { Commits } from './commits.ts'
import type { ConsumerOptions, StartAt } from './consumer-options.ts'
import { errorOf, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { HandOut } from './hand-out.ts'
import type { Held } from './held.ts'
import { Membership } from './group-membership.ts'
import * as limits from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import type { Offsets, PartitionOffset, Patience } from './offsets.ts'
import type { ReaderHost } from './partition-reader.ts'
import { PartitionReader } from './partition-reader.ts'
import type { ReaderSet } from './reader-set.ts'
import { commitOf, wentOn } from './reader-set.ts'
import { sleep } from './waiting.ts'

/** What it needs of its consumer. */
export interface GroupReadingHost {
  readonly ports: ClientPorts
  readonly metadata: Metadata
  readonly offsets: Offsets
  readonly readers: ReaderSet
  readonly readerHost: ReaderHost
  readonly commits: Commits
  /** Nothing of the reader is handed out any more. */
  forget (reader: PartitionReader): void
  readonly handOut: Pick<HandOut, 'hold' | 'isAwaited'>
  failed (error: MillraceError): void
}

interface Reading {
  readonly held: Held
  /** Undefined until it is known where to begin. */
  reader: PartitionReader | undefined
  /** To be given back as soon as nothing of it is in hand. */
  revoked: boolean
}

export class GroupReading {
  readonly #host: GroupReadingHost
  readonly #options: ConsumerOptions<unknown, unknown>
  readonly #from: StartAt | undefined
  readonly #membership: Membership
  /** In order of being given. */
  readonly #readings = new Map<Held, Reading>()
  #pollTimer: Timer | undefined
  #progress = -1
  #progressAt = 0
  #closed = false
  /** Given up for slowness: joins again when a record is asked for. */
  #retired = false

  /** @param from where to begin when the group has committed nothing; by the options' reset when undefined */
  constructor (host: GroupReadingHost, options: ConsumerOptions<unknown, unknown>, topics: readonly string[],
    from?: StartAt) {
    const { group } = host.commits
    this.#host = host
    this.#from = from
    this.#options = options
    const maxPollMs = options.maxPollIntervalMs ?? limits.maxPollIntervalMs
    this.#membership = new Membership(host.ports, host.metadata, {
      group,
      topics,
      assignor: options.assignor === 'range' ? 'GROUP_ASSIGNOR_RANGE'
        : options.assignor === 'uniform' ? 'GROUP_ASSIGNOR_UNIFORM' : 'GROUP_ASSIGNOR_UNSPECIFIED',
      instanceId: options.instanceId ?? '',
      rack: options.rack ?? '',
      client: options.clientId ?? '',
      sessionTimeoutMs: options.sessionTimeoutMs ?? limits.sessionTimeoutMs,
      instanceGraceMs: options.instanceGraceMs ?? limits.instanceGraceMs,
      // Records in hand are finished first, and the last commit takes its time.
      releaseTimeoutMs: maxPollMs + 2 * limits.revokeCommitMs
    }, () => host.offsets.partitionOfGroup(group), {
      assigned: partitions => { this.#assigned(partitions) },
      revoked: partitions => { this.#revoked(partitions) },
      lost: (partitions, why) => { this.#lost(partitions, why) },
      suspended: is => { host.handOut.hold(is) },
      failed: error => { host.failed(error) }
    })
    this.#membership.join()
    this.#watchPace(maxPollMs)
  }

  get membership (): Membership { return this.#membership }

  /** Partitions come, or go, or it is not known yet where they begin. */
  get isSettling (): boolean {
    if (!this.#membership.isAssigned || this.#membership.coming > 0) return true
    return [...this.#readings.values()].some(({ reader, revoked }) => revoked || reader === undefined)
  }

  /** Resolves when the coordinator has said what this member reads. */
  async assigned ({ timeoutMs, signal }: Patience): Promise<void> {
    const { clock } = this.#host.ports
    const deadline = clock.now() + timeoutMs
    while (!this.#membership.isAssigned && !this.#closed) {
      if (this.#membership.refusal !== undefined) throw this.#membership.refusal
      if (clock.now() >= deadline) {
        throw errorOf('TIMED_OUT', `group ${this.#host.commits.group}: no assignment within ${timeoutMs / 1000} s`)
      }
      await sleep(clock, 10, signal)
    }
  }

  /** Metadata has changed. */
  pump (): void {
    this.#membership.pump()
  }

  /** A record is asked for. */
  asked (): void {
    this.#progress = -1
    if (!this.#retired) return
    this.#retired = false
    this.#membership.join()
  }

  // Partitions come

  #assigned (partitions: readonly Held[]): void {
    if (partitions.length === 0) return
    for (const held of partitions) this.#readings.set(held, { held, reader: undefined, revoked: false })
    this.#begin(partitions).catch((error: unknown) => { if (!this.#closed) this.#host.failed(toMillraceError(error)) })
  }

  #isWanted (held: Held): boolean {
    return !this.#closed && this.#readings.get(held)?.revoked === false
  }

  async #begin (partitions: readonly Held[]): Promise<void> {
    const starts = await this.#committed(partitions)
    const wanted = partitions.filter(held => this.#isWanted(held) && held.topic !== '')
    if (wanted.length === 0) return
    const readers: PartitionReader[] = []
    for (const held of wanted) {
      const { topic, partition, topicId } = held
      const committed = starts.get(`${topicId}/${partition}`)
      const from = committed?.offset ?? this.#first(held)
      const reader = new PartitionReader(this.#host.readerHost, topic, partition, topicId, from)
      if (committed !== undefined) wentOn(reader, committed)
      this.#readings.get(held)!.reader = reader
      readers.push(reader)
      const before = this.#host.readers.get(held)
      // The topic of that name was another one; what is left of it is nobody's.
      if (before !== undefined) this.#dropReader(before)
    }
    for (const { topic } of wanted) this.#host.readers.track(topic)
    this.#host.readers.add(readers)
    this.#host.ports.tell('group.assigned', { group: this.#host.commits.group, partitions: wanted.map(placeOf) })
    this.#options.onAssigned?.(wanted.map(placeOf))
  }

  /** Where the group stands, as the coordinator that gave the partitions knows it. */
  async #committed (partitions: readonly Held[]): Promise<Map<string, CommittedOffset>> {
    const { offsets, commits } = this.#host
    for (;;) {
      const wanted = partitions.filter(held => this.#isWanted(held))
      if (wanted.length === 0) return new Map()
      const asked = wanted.map(({ topic, topicId, partition }) => ({ topic, topicId, partition }))
      try {
        const found = await offsets.committed(commits.group, asked, { timeoutMs: limits.callTimeoutMs },
          this.#membership.committer())
        return new Map(found.map(each => [`${each.topicId}/${each.partition}`, each]))
      } catch (error) {
        // As long as they are the member's it asks; they may have been taken from it meanwhile.
        if (!toMillraceError(error).retriable) throw error
      }
    }
  }

  #first ({ topic, partition }: Held): StartAt {
    if (this.#from !== undefined) return this.#from
    const { reset = 'earliest' } = this.#options
    if (reset === 'none') {
      const message = `${topic}/${partition}: the group has committed nothing`
      throw errorOf('NO_COMMITTED_OFFSET', message, { topic, partition })
    }
    return reset === 'latest' ? 'end' : 'start'
  }

  // Partitions go

  #revoked (partitions: readonly Held[]): void {
    const now: Reading[] = []
    for (const held of partitions) {
      const reading = this.#readings.get(held)
      if (reading === undefined) continue
      reading.revoked = true
      if (reading.reader !== undefined) {
        this.#host.forget(reading.reader)
        reading.reader.revoke()
      }
      if (reading.reader?.isInHand !== true) now.push(reading)
    }
    this.#giveBack(now)
  }

  /** Nothing of the reader is in the caller's hands any more. */
  handedBack (reader: PartitionReader): void {
    if (!reader.isRevoked) return
    const reading = [...this.#readings.values()].find(each => each.reader === reader)
    if (reading !== undefined) this.#giveBack([reading])
  }

  #giveBack (readings: readonly Reading[]): void {
    if (readings.length === 0) return
    const release = (): void => {
      for (const { held, reader } of readings) {
        this.#readings.delete(held)
        if (reader !== undefined) this.#host.readers.remove(reader)
      }
      this.#membership.release(readings.map(({ held }) => held))
    }
    const open = readings.filter(({ reader }) => reader !== undefined)
    if (open.length === 0) release()
    else this.#finish(open).catch((error: unknown) => { this.#host.failed(toMillraceError(error)) }).finally(release)
  }

  /** The caller's last word, and the last commit. */
  async #finish (readings: readonly Reading[]): Promise<void> {
    const going = readings.map(({ held }) => placeOf(held))
    this.#host.ports.tell('group.revoked', { group: this.#host.commits.group, partitions: going })
    await this.#options.onRevoked?.(going)
    if (this.#options.autoCommitIntervalMs === 0) return
    // When its turn comes: what was lost meanwhile may be the member's again, and others have committed more.
    const places = (): PartitionOffset[] => readings.flatMap(({ held, reader }) =>
      this.#readings.get(held)?.reader === reader &&
      reader !== undefined && reader.finished >= 0 && reader.finished !== reader.committed
        ? [commitOf(reader, reader.finished)] : [])
    try {
      await this.#host.commits.commit(places, () => {}, { timeoutMs: limits.revokeCommitMs })
    } catch (error) {
      // Then the next member begins at the commit before: it repeats, and skips nothing.
      const { code, message } = toMillraceError(error)
      if (code !== 'FENCED_MEMBER') this.#host.ports.onWaiting(`the commit of what was given away (${message})`)
    }
  }

  #lost (partitions: readonly Held[], why: MillraceError): void {
    for (const held of partitions) {
      const reader = this.#readings.get(held)?.reader
      this.#readings.delete(held)
      if (reader !== undefined) this.#dropReader(reader)
    }
    const gone = partitions.map(placeOf)
    this.#host.ports.tell('group.lost', { group: this.#host.commits.group, partitions: gone, error: why })
    this.#options.onLost?.(gone, why)
  }

  #dropReader (reader: PartitionReader): void {
    this.#host.forget(reader)
    reader.lose()
    this.#host.readers.remove(reader)
  }

  // The caller's pace

  #watchPace (maxPollMs: number): void {
    const { clock } = this.#host.ports
    this.#pollTimer = clock.setTimer(Math.min(limits.pollCheckMs, maxPollMs / 4), () => {
      this.#watchPace(maxPollMs)
      const now = clock.now()
      let progress = 0
      let inHand = false
      for (const { reader } of this.#readings.values()) {
        inHand ||= reader?.isInHand === true
        progress += reader?.progress ?? 0
      }
      // Without a loop, or with one that was left, nothing is in hand, and nobody waits for more either.
      const standsStill = this.#readings.size > 0 && (inHand || !this.#host.handOut.isAwaited)
      if (!standsStill || progress !== this.#progress) {
        this.#progress = progress
        this.#progressAt = now
      } else if (now - this.#progressAt > maxPollMs) this.#retire(maxPollMs)
    })
  }

  /** A member that stands still stands in the way: another one goes on from its last commit. */
  #retire (maxPollMs: number): void {
    const why = errorOf('MAX_POLL_EXCEEDED', `no record was asked for within ${maxPollMs} ms`)
    this.#host.ports.onWaiting(`the next call of the consumer (${why.message}; its partitions are given up)`)
    this.#membership.retire(why)
    this.#retired = true
  }

  /** The coordinator is told last: what is committed before is still the member's. */
  async leave (): Promise<void> {
    this.#closed = true
    this.#pollTimer?.cancel()
    await this.#membership.leave(false)
  }
}

function placeOf ({ topic, partition }: Held): { topic: string, partition: number } {
  return { topic, partition }
}
