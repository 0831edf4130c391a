// Random histories of one partition: any message late, any broker dead, any fsync lost, a controller that
// keeps its rules; after every step the invariants of replication.md are asserted.
import { assert } from '../../../broker/assert.ts'
import { hasIdentity, nobody, sameIdentity } from '../../../broker/row.ts'
import type { PartitionRow, ReplicaIdentity } from '../../../broker/row.ts'
import { WireError } from '../../../wire/errors.ts'
import { Promises } from './promises.ts'
import { TestRng } from './time.ts'
import { World, ref, topicId } from './world.ts'
import { valueBatch } from './batch.ts'

export interface ChaosOptions {
  readonly brokers: number
  readonly minInSync: number
  readonly steps: number
}

/** An idempotent producer with one batch under way; it gives up waiting when its broker may be dead. */
class Client {
  readonly #world: World
  readonly #id: number
  #sequence = 0
  #attempt = 0
  /** The broker that holds its batch now. */
  waitingFor = -1
  readonly acknowledged: { value: string, offset: number }[] = []

  constructor (world: World, id: number) {
    this.#world = world
    this.#id = id
  }

  get sent (): number { return this.#sequence }

  send (broker: number): void {
    const process = this.#world.brokers[broker]!.process
    if (process === undefined) return
    const value = `p${this.#id}-${this.#sequence}`
    const attempt = ++this.#attempt
    this.waitingFor = broker
    const batch = valueBatch(value, { id: this.#id, epoch: 0, sequence: this.#sequence })
    process.host.append(ref, batch, (error, offset) => {
      if (error === undefined) this.#committed(value, offset)
      else assert(error.retriable, `${value}: ${error.code}`)
      if (attempt === this.#attempt) this.waitingFor = -1
    })
  }

  #committed (value: string, offset: number): void {
    if (value !== `p${this.#id}-${this.#sequence}`) return
    this.acknowledged.push({ value, offset })
    this.#sequence++
    // What another attempt of it is told later does not matter any more.
    this.#attempt++
    this.waitingFor = -1
  }
}

export class Chaos {
  readonly world: World
  readonly #rng: TestRng
  readonly #options: ChaosOptions
  readonly #clients: Client[]
  readonly #actions: [number, () => void | Promise<void>][]
  readonly #weightTotal: number
  readonly #promises: Promises
  /** Rows that a broker has yet to hear of, in order. */
  readonly #pushes: PartitionRow[][]
  readonly trace: string[] = []

  constructor (seed: number, options: ChaosOptions) {
    this.#rng = new TestRng(seed)
    this.#options = options
    this.world = new World(options.brokers)
    this.#promises = new Promises(this.world)
    this.#clients = [1, 2, 3, 4].map(id => new Client(this.world, id))
    this.#actions = this.#drawWeights()
    this.#weightTotal = this.#actions.reduce((sum, [weight]) => sum + weight, 0)
    this.#pushes = Array.from({ length: options.brokers }, () => [])
  }

  get #all (): number[] { return this.world.brokers.map(broker => broker.id) }
  get #alive (): number[] { return this.#all.filter(id => this.world.brokers[id]!.process !== undefined) }
  #pick<T> (items: readonly T[]): T | undefined { return items[this.#rng.integer(items.length)] }

  async run (): Promise<void> {
    const { world } = this
    for (const id of this.#all) await world.start(id)
    world.row = {
      topicId,
      partition: 0,
      replicas: this.#all,
      leader: 0,
      leaderEpoch: 1,
      inSync: this.#all.map(id => world.identity(id)),
      version: 1,
      minInSync: this.#options.minInSync,
      adding: [],
      removing: [],
      barred: []
    }
    for (const id of this.#all) world.push(id)
    for (let step = 0; step < this.#options.steps; step++) {
      await this.#step()
      await world.settle()
      this.#promises.check()
    }
    await this.#heal()
  }

  async #step (): Promise<void> {
    let at = this.#rng.integer(this.#weightTotal)
    for (const [weight, run] of this.#actions) {
      at -= weight
      if (at >= 0) continue
      await run()
      return
    }
  }

  /** Each seed draws how often what happens (swarm testing: rare things become common in some runs). */
  #drawWeights (): [number, () => void | Promise<void>][] {
    const some = (most: number) => this.#rng.integer(most + 1)
    return [
      [200 + some(400), () => { this.#deliver() }],
      [100 + some(200), () => { this.#fsync() }],
      [100 + some(200), () => { this.#produce() }],
      [40 + some(60), () => { this.#deliverPush() }],
      [20 + some(60), () => this.world.advance(this.#rng.integer(150))],
      [20 + some(40), () => { this.#answerAsk() }],
      [some(20), () => { this.#resetLink() }],
      [some(30), () => { this.#crash() }],
      [10 + some(40), () => this.#restart()],
      [5 + some(20), () => { this.#elect() }],
      [5 + some(20), () => { this.#shrink() }]
    ]
  }

  #note (text: string): void { this.trace.push(text) }

  #deliver (): void {
    const links = this.world.network.links().filter(([, queue]) => queue.length > 0)
    const link = this.#pick(links)
    if (link === undefined) return
    const message = link[1].shift()!
    this.#note(`deliver ${link[0]} ${message.text}`)
    message.deliver()
  }

  #fsync (): void {
    const id = this.#pick(this.#alive)
    if (id === undefined) return
    this.#note(`fsync ${id}`)
    this.world.brokers[id]!.process!.volume.sync()
  }

  #produce (): void {
    const client = this.#pick(this.#clients)!
    // Still waiting: sometimes it gives up and tries again, there or elsewhere.
    if (client.waitingFor >= 0 && this.#rng.integer(4) > 0) return
    const id = this.#rng.integer(4) === 0 ? this.#pick(this.#alive) : this.world.row!.leader
    if (id === undefined || id === nobody) return
    this.#note(`produce to ${id}`)
    client.send(id)
  }

  #deliverPush (): void {
    const id = this.#pick(this.#alive)
    if (id === undefined) return
    const row = this.#pushes[id]!.shift()
    if (row === undefined) return
    this.#note(`push e${row.leaderEpoch} v${row.version} to ${id}`)
    this.world.push(id, { rows: [row] })
  }

  #write (changes: Partial<PartitionRow>): void {
    const { world } = this
    world.row = { ...world.row!, ...changes, version: world.row!.version + 1 }
    const { leader, leaderEpoch, version, inSync } = world.row
    const members = inSync.map(member => member.brokerId).join(',')
    this.#note(`row e${leaderEpoch} v${version} leader ${leader} in-sync ${members}`)
    for (const queue of this.#pushes) queue.push(world.row)
  }

  #isLive (member: ReplicaIdentity): boolean {
    const { brokerId } = member
    return this.world.brokers[brokerId]!.process !== undefined && sameIdentity(this.world.identity(brokerId), member)
  }

  /** As the controller: asks the live members, takes the best; none below a high watermark that it heard of. */
  #elect (): void {
    const { world } = this
    const row = world.row!
    const live = row.inSync.filter(member => this.#isLive(member))
    const answers = live.map(({ brokerId }) =>
      world.brokers[brokerId]!.process!.host.ends([{ topicId, partition: 0 }])[0]!)
    const committed = Math.max(0, ...answers.map(ends => ends.highWatermark))
    const candidates = answers.filter(ends => ends.present && ends.durableEnd >= committed)
    const best = this.#rng.integer(3) === 0
      ? this.#pick(candidates)
      : candidates.sort((a, b) => b.lastEpoch - a.lastEpoch || b.durableEnd - a.durableEnd)[0]
    assert(live.length === candidates.length, 'every live member of the set may lead')
    this.#write({ leader: best?.identity?.brokerId ?? nobody, leaderEpoch: row.leaderEpoch + 1 })
  }

  #shrink (): void {
    const row = this.world.row!
    const remaining = row.inSync.filter(member => this.#isLive(member) || member.brokerId === row.leader)
    const live = remaining.filter(member => this.#isLive(member)).length
    if (live >= row.minInSync && remaining.length < row.inSync.length) this.#write({ inSync: remaining })
  }

  #answerAsk (): void {
    const { world } = this
    const ask = world.asks.splice(this.#rng.integer(Math.max(world.asks.length, 1)), 1)[0]
    if (ask === undefined) return
    const { request } = ask
    const row = world.row!
    const reply = (error: WireError | undefined, now: PartitionRow | undefined) => {
      // Sometimes the session breaks before the answer.
      if (this.#rng.integer(4) > 0 && world.brokers[ask.broker]!.process !== undefined) ask.done(error, now)
    }
    if (request.version !== row.version || request.leaderEpoch !== row.leaderEpoch) {
      reply(new WireError('STALE_ROW'), row)
      return
    }
    const added = request.inSync.filter(member => !hasIdentity(row.inSync, member))
    const ineligible = added.some(member => !this.#isLive(member) ||
      request.added.find(claim => claim.identity !== undefined && sameIdentity(claim.identity, member))?.brokerEpoch !==
        world.infos.get(member.brokerId)!.brokerEpoch)
    const live = request.inSync.filter(member => this.#isLive(member)).length
    const shrinks = row.inSync.some(member => !hasIdentity(request.inSync, member))
    const late = this.#rng.integer(5) === 0
    if (ineligible || (shrinks && live < row.minInSync) || late) {
      // The request may be under way twice: a refusal of one says nothing about the other.
      if (late) world.asks.push({ ...ask, done: () => {} })
      reply(new WireError('INELIGIBLE_REPLICA'), undefined)
      return
    }
    this.#write({ inSync: [...request.inSync] })
    reply(undefined, world.row)
  }

  #resetLink (): void {
    const a = this.#pick(this.#alive)
    const b = this.#pick(this.#all)
    if (a === undefined || b === undefined || a === b) return
    this.#note(`reset ${a}-${b}`)
    this.world.brokers[a]!.process?.net.reset(String(b))
    this.world.brokers[b]!.process?.net.reset(String(a))
  }

  #crash (): void {
    const id = this.#pick(this.#alive)
    if (id === undefined) return
    this.#note(`crash ${id}`)
    this.world.crash(id)
    for (const client of this.#clients) if (client.waitingFor === id) client.waitingFor = -1
    this.world.infos.set(id, { ...this.world.infos.get(id)!, fenced: true })
    this.#pushes[id] = []
  }

  /** Registers: a partition that it led is elected anew, even if it stays leader. */
  async #restart (): Promise<void> {
    const { world } = this
    const id = this.#pick(this.#all.filter(other => world.brokers[other]!.process === undefined))
    if (id === undefined) return
    if (this.#rng.integer(12) === 0 && this.#spare(id)) {
      this.#note(`wipe ${id}`)
      world.wipe(id)
    }
    this.#note(`start ${id}`)
    await world.start(id)
    this.#pushes[id] = []
    for (const other of this.#alive) world.push(other, other === id ? {} : { rows: [] })
    // What it led is elected anew, even if it stays leader; it may hear of the old row before.
    if (world.row!.leader === id) this.#elect()
    this.#shrink()
  }

  /** The disks of the others bear the loss of this one: replication.md allows N-1 dead, not N-1 wiped. */
  #spare (id: number): boolean {
    const { inSync } = this.world.row!
    return inSync.filter(member => member.brokerId !== id &&
      this.world.brokers[member.brokerId]!.disk.volumeId === member.volumeId).length >= this.#options.minInSync
  }

  /** Everybody lives and hears everything: all must become whole. */
  async #heal (): Promise<void> {
    const { world } = this
    this.#note('heal')
    for (const id of this.#all) {
      if (world.brokers[id]!.process === undefined) await world.start(id)
      this.#pushes[id] = []
    }
    this.#shrink()
    this.#elect()
    for (let round = 0; round < 60 && !this.#isWhole(); round++) {
      for (const id of this.#all) world.push(id)
      for (const client of this.#clients) if (client.waitingFor < 0) client.send(world.row!.leader)
      await world.runFor(200)
      for (let n = world.asks.length; n > 0; n--) this.#answerAsk()
      for (const queue of this.#pushes) queue.length = 0
      this.#promises.check()
    }
    const state = [world.describeRow(), ...this.#all.map(id => world.describe(id))].join('\n')
    assert(this.#isWhole(), `not whole after healing:\n${state}`)
    this.#checkClients()
  }

  #isWhole (): boolean {
    const { world } = this
    const [first, ...rest] = this.#all.map(id =>
      world.records(id).map(record => `${record.value}@${record.epoch}`).join())
    return world.row!.inSync.length === this.#options.brokers && rest.every(text => text === first) &&
      this.#all.every(id => world.replica(id)?.state.highWatermark === world.replica(id)?.log.logEnd) &&
      this.#clients.every(client => client.acknowledged.length > 0)
  }

  /** Every acknowledged record once, in order, where it was said to be. */
  #checkClients (): void {
    const values = this.#promises.committed.map(text => text.split('@')[0]!)
    for (const client of this.#clients) {
      for (const { value, offset } of client.acknowledged) {
        assert(values[offset] === value, `${value} was acknowledged at ${offset}, where ${values[offset]} is`)
        assert(values.indexOf(value) === values.lastIndexOf(value), `${value} is there twice`)
      }
      const offsets = client.acknowledged.map(({ offset }) => offset)
      assert(offsets.every((offset, index) => index === 0 || offset > offsets[index - 1]!), 'out of order')
    }
  }
}
