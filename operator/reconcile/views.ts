// What the controllers say of their clusters and topics, asked when something has moved (a table was
// written, a pod became ready) and not by the clock.
import type { DescribeClusterResponse, TopicStatus } from '../../wire/messages.ts'
import type { Clock, Timer } from '../../wire/ports.ts'
import type { Log } from '../kube/log.ts'
import { same } from '../same.ts'
import type { ControllerClient } from './controller-client.ts'

/** News come in bursts: wait for the rest of one. */
const settleMs = 10
const intervalMsMin = 100
/** Asking takes at most a tenth of the time ... */
const intervalFactor = 10
/** ... but one answer that was slow to come, from a broker that stood still, must not blind for long. */
const intervalMsMax = 2_000
const retryMsMin = 200
const retryMsMax = 5_000
/** How far moves are stands in no table. */
const progressMs = 2_000
/** Nor whether disks have space again. */
const lowDisksMs = 60_000

export interface View {
  readonly controller: number
  readonly brokers: DescribeClusterResponse['brokers']
  readonly topics: ReadonlyMap<string, TopicStatus>
  readonly partitions: number
  readonly underReplicated: number
  readonly underMinInSync: number
  readonly offline: number
  readonly moves: DescribeClusterResponse['moves']
  readonly drains: DescribeClusterResponse['drains']
  /** Of underReplicated: for other reasons than brokers in maintenance. */
  readonly underReplicatedUnexpectedly: number
  /** Brokers that must stay while others are in maintenance. */
  readonly indispensable: readonly number[]
  readonly lowDisks: DescribeClusterResponse['lowDisks']
}

/** `topics`: the names of those whose state changed. */
export type ViewHandler = (cluster: string, topics: readonly string[]) => void

interface Watched {
  view: View | undefined
  /** Those of the view. */
  topics: Map<string, TopicStatus>
  asking: Promise<View> | undefined
  timer: Timer | undefined
  /** Asks again while something moves, or a disk is low. */
  progress: Timer | undefined
  /** Poked while it was being asked: ask once more. */
  again: boolean
  askedAt: number
  tookMs: number
  retryMs: number
  /** Why there was no answer, until it is asked again. */
  failure: unknown
  /** Clock time since which no answer came; undefined while answers come. */
  silentSince: number | undefined
}

export class Views {
  readonly #client: ControllerClient
  readonly #clock: Clock
  readonly #log: Log
  readonly #watched = new Map<string, Watched>()
  readonly #handlers: ViewHandler[] = []
  #stopped = false

  constructor (client: ControllerClient, clock: Clock, log: Log) {
    this.#client = client
    this.#clock = clock
    this.#log = log
  }

  onChange (handler: ViewHandler): void {
    this.#handlers.push(handler)
  }

  /** The last answer. */
  get (cluster: string): View | undefined {
    return this.#watched.get(cluster)?.view
  }

  /** Milliseconds without an answer; 0 while the controller answers. */
  silentMs (cluster: string): number {
    const since = this.#watched.get(cluster)?.silentSince
    return since === undefined ? 0 : this.#clock.now() - since
  }

  /** Something moved: ask soon. */
  poke (cluster: string): void {
    const watched = this.#of(cluster)
    if (watched.asking !== undefined) { watched.again = true; return }
    // News end the wait after a failure: whoever was missed may be there now.
    if (watched.timer !== undefined && watched.failure === undefined) return
    watched.timer?.cancel()
    watched.failure = undefined
    const pauseMs = Math.min(Math.max(intervalMsMin, watched.tookMs * intervalFactor), intervalMsMax)
    this.#schedule(cluster, watched, Math.max(settleMs, watched.askedAt + pauseMs - this.#clock.now()))
  }

  /**
   * Asks now; those who ask at the same time share the answer. After a failure nobody asks before its pause is over:
   * it is told to those who wait, and these would ask at once again.
   * @throws WireError, KubeError
   */
  async refresh (cluster: string): Promise<View> {
    const watched = this.#of(cluster)
    if (watched.failure !== undefined) throw watched.failure
    watched.timer?.cancel()
    watched.timer = undefined
    watched.progress?.cancel()
    watched.asking ??= this.#ask(cluster, watched).finally(() => {
      watched.asking = undefined
      if (watched.again) this.poke(cluster)
      watched.again = false
    })
    return await watched.asking
  }

  /** What ApplyTopic answered, newer than the last description. */
  learn (cluster: string, topic: TopicStatus): void {
    const watched = this.#of(cluster)
    const name = topic.topic?.name
    if (watched.view === undefined || name === undefined) return
    const isNew = !watched.topics.has(name)
    // In place: a copy for each of thousands of topics would be quadratic.
    watched.topics.set(name, topic)
    // What is counted over all topics is known by a description alone. One that is under way was made before this was.
    if (isNew) this.poke(cluster)
    else if (watched.asking !== undefined) watched.again = true
  }

  forget (cluster: string): void {
    this.#watched.get(cluster)?.timer?.cancel()
    this.#watched.get(cluster)?.progress?.cancel()
    this.#watched.delete(cluster)
    this.#client.forget(cluster)
  }

  stop (): void {
    this.#stopped = true
    for (const watched of this.#watched.values()) {
      watched.timer?.cancel()
      watched.progress?.cancel()
    }
  }

  #of (cluster: string): Watched {
    const known = this.#watched.get(cluster)
    if (known !== undefined) return known
    const watched: Watched = {
      view: undefined,
      topics: new Map(),
      asking: undefined,
      timer: undefined,
      progress: undefined,
      again: false,
      askedAt: -Infinity,
      tookMs: 0,
      retryMs: retryMsMin,
      failure: undefined,
      silentSince: undefined
    }
    this.#watched.set(cluster, watched)
    return watched
  }

  #schedule (cluster: string, watched: Watched, afterMs: number): void {
    if (this.#stopped) return
    watched.timer = this.#clock.setTimer(afterMs, () => {
      watched.timer = undefined
      watched.failure = undefined
      this.refresh(cluster).catch((error: unknown) => {
        this.#log.debug({ cluster, err: (error as Error).message }, 'controller did not answer')
      })
    })
  }

  #follow (cluster: string, watched: Watched, afterMs: number): void {
    if (this.#stopped || this.#watched.get(cluster) !== watched) return
    watched.progress?.cancel()
    watched.progress = this.#clock.setTimer(afterMs, () => { this.poke(cluster) })
  }

  async #ask (cluster: string, watched: Watched): Promise<View> {
    watched.askedAt = this.#clock.now()
    try {
      const answer = await this.#client.call(cluster, 'DescribeCluster', { topics: [] })
      watched.tookMs = this.#clock.now() - watched.askedAt
      watched.retryMs = retryMsMin
      const wasSilent = watched.silentSince !== undefined
      watched.silentSince = undefined
      this.#take(cluster, watched, answer, wasSilent)
      if (answer.moves.length + answer.drains.length > 0) this.#follow(cluster, watched, progressMs)
      else if (answer.lowDisks.length > 0) this.#follow(cluster, watched, lowDisksMs)
      return watched.view!
    } catch (error) {
      const first = watched.silentSince === undefined
      watched.silentSince ??= watched.askedAt
      // Only a cluster that is still known is asked again.
      if (this.#watched.get(cluster) === watched && watched.timer === undefined && !this.#stopped) {
        watched.failure = error
        this.#schedule(cluster, watched, watched.retryMs)
      }
      watched.retryMs = Math.min(watched.retryMs * 2, retryMsMax)
      if (!first) this.#tell(cluster, [])
      throw error
    }
  }

  #take (cluster: string, watched: Watched, answer: DescribeClusterResponse, wasSilent: boolean): void {
    const { view: previous, topics: before } = watched
    const topics = topicsOf(answer)
    const next = toView(answer, topics)
    watched.view = next
    watched.topics = topics
    const changed: string[] = []
    for (const [name, status] of topics) {
      const known = before.get(name)
      if (!same(known, status)) changed.push(name)
    }
    for (const name of before.keys()) if (!topics.has(name)) changed.push(name)
    if (wasSilent || previous === undefined || changed.length > 0 || !same(summary(previous), summary(next))) {
      this.#tell(cluster, changed)
    }
  }

  #tell (cluster: string, topics: readonly string[]): void {
    if (this.#stopped) return
    for (const handler of this.#handlers) handler(cluster, topics)
  }
}

function summary (view: View): object {
  const { topics: _told, lowDisks, ...rest } = view
  // For how long moves on by itself.
  return { ...rest, lowDisks: lowDisks.map(({ brokerId, full }) => [brokerId, full]) }
}

/** One that is being deleted is nobody's any more; its name may already be another's. */
function topicsOf (answer: DescribeClusterResponse): Map<string, TopicStatus> {
  return new Map(answer.topics.flatMap(status =>
    status.topic === undefined || status.topic.deleting ? [] : [[status.topic.name, status] as const]))
}

function toView (answer: DescribeClusterResponse, topics: Map<string, TopicStatus>): View {
  const { topics: _asMap, error: _none, controllerEpoch: _moves, ...rest } = answer
  return { ...rest, topics }
}
