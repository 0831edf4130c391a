// Members of a queue group, for tests.
import type { MillraceError } from '../../client/errors.ts'
import { MillraceClient } from '../../client/millrace.ts'
import type { Queue } from '../../client/queue.ts'
import type { QueueOptions, QueueRecord } from '../../client/queue-options.ts'
import { SeededRng } from './fake-clock.ts'
import { GroupWorld } from './group-world.ts'
import { mortal } from './mortal.ts'
import { text, values } from './world.ts'

export class QueueWorld extends GroupWorld {
  /** Every record that a handler was begun with, in order. */
  readonly begun: { readonly member: number, readonly value: string, readonly deliveries: number }[] = []
  readonly done: string[] = []
  #members = 0
  #written = 0

  constructor () {
    super()
    this.cluster.create('jobs', 2)
  }

  /** Not subscribed yet. */
  raw (options: Partial<QueueOptions> = {}): Member {
    return new Member(this, this.#members++, options)
  }

  async member (options: Partial<QueueOptions> = {}, concurrency = 1): Promise<Member> {
    return await this.raw(options).start(concurrency)
  }

  write (count: number, partitions = 2, size = 1): string[] {
    const all = values(this.#written, this.#written += count)
    for (let at = 0; at < all.length; at += size) {
      this.cluster.write('jobs', (at / size) % partitions, all.slice(at, at + size))
    }
    return all
  }

  /** Everything before it is finished, as far as one of the coordinators knows; -1: nothing is known. */
  start (partition: number): number {
    return this.coordinators.all.map(each => {
      try {
        return each.committed('audit', []).find(offset => offset.partition === partition)?.offset ?? -1
      } catch {
        return -1
      }
    }).reduce((a, b) => Math.max(a, b))
  }
}

export class Member {
  readonly id: number
  readonly #world: QueueWorld
  readonly net: ReturnType<typeof mortal>
  readonly queue: Queue
  /** What a handler takes. */
  paceMs = 5
  handle: (record: QueueRecord) => Promise<void> | void = () => {}
  failure: MillraceError | undefined
  readonly waiting = new Set<string>()

  constructor (world: QueueWorld, id: number, options: Partial<QueueOptions>) {
    this.#world = world
    this.id = id
    this.net = mortal(world.net)
    const onWaiting = (what: string): void => { this.waiting.add(what) }
    const client = new MillraceClient({ bootstrap: 'broker-1:9090', onWaiting },
      { net: this.net, clock: world.clock, rng: new SeededRng(500 + id) })
    this.queue = client.queue({ group: 'audit', ...options })
  }

  async start (concurrency = 1): Promise<this> {
    const { clock, begun, done } = this.#world
    await clock.finish(this.queue.subscribe(['jobs']))
    this.queue.run(async record => {
      begun.push({ member: this.id, value: text(record), deliveries: record.deliveries })
      await new Promise<void>(resolve => { clock.setTimer(this.paceMs, resolve) })
      await this.handle(record)
      if (!record.isSettled) await record.acknowledge()
      done.push(text(record))
    }, { concurrency }).catch((error: unknown) => { this.failure = error as MillraceError })
    return this
  }
}

export function sorted (all: readonly string[]): string[] {
  return [...all].sort((a, b) => Number(a) - Number(b))
}
