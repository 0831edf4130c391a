// Scripts at the level of the cluster: what happens to whom, in which order, under load; at the end the
// same healing and the same checks as for every seed.
//
//   brokers 3                              the plan, with defaults
//   topic t0 partitions 4 replicas 3 min 2 [transient|expendable|dead letters]
//   producers 2 / consumers 1 / members 0 / workers 0 [by key] / send every 10ms / values up to 20 bytes
//   deliver within 60s
//   ---
//   pass 2s                                virtual time
//   pause|resume|kill|power|start|stop|wipe WHO    WHO: ids '0,1', 'leader of t0-0', 'controller', 'all'
//   cut 0-1 | cut 0>1 | cut 0-kube | heal  links: both ways, one way; of ids, hosts, 'controller', 'peers' (all others)
//   kube down|silent|up | kube delay 300ms
//   disk 30s WHO                           how long an fsync takes from now on, on average
//   flip|unreadable|readable WHO           bits on its disk flip; reads fail from now on, or do not any more
//   rot WHO                                a bit of each file of its journal flips
//   snapshot WHO | rollback WHO            a copy of its volume is taken; takes its place (nothing runs)
//   swap 0 1                               two volumes change places (nothing runs)
//   readdress WHO | swap addresses 0 1     it comes back under another address; two change theirs (nothing runs)
//   restart client                         one client dies, another takes its place
//   and what a person asks for (script-wishes.ts):
//   add | remove                           one more broker; the last one is drained, stopped, forgotten
//   move t0-0 to 1,2,3 | give up t0-0 | elect t0-0 1|preferred
//   apply t0 partitions 6 | replicas 3 | min 2      | delete t0 [with data]
//   recover 0,1 by 2|best                  partitions whose in-sync set these were go on with what broker 2 has
//   mark                                   what is expected counts from here
//   expect gap < 1s [t0-0]                 longest time without an acknowledged write, per partition
//   expect no failed sends
//   expect reached a follower truncated    a state of coverage.ts
//   within 20s t0-0 on 1,2,3               these replicas, all live and in sync, nothing under way
//   within 20s t0-0 moves | t0-0 led by 1 | 1 is ready | 1 is new (its volume has another id)
//   within 20s brokers 4 | topics there    nothing is being drained or changed
import type { SimBroker } from './broker.ts'
import { sometimes } from './coverage.ts'
import { SimFailure } from './failure.ts'
import { calmConditions } from './network.ts'
import type { Plan, TopicPlan } from './plan.ts'
import type { RunResult, Spectator } from './run.ts'
import { runWith } from './run.ts'
import { holds } from './script-conditions.ts'
import { wish } from './script-wishes.ts'
import type { Simulation } from './simulation.ts'
import type { Image } from './disk-image.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

function milliseconds (text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|min)$/.exec(text) ?? []
  if (number === undefined) throw new Error(`not a time: '${text}'`)
  return Number(number) * (unit === 's' ? 1_000 : unit === 'min' ? 60_000 : 1)
}

function lines (text: string): string[] {
  return text.split('\n').map((line) => line.replace(/#.*/, '').trim()).filter((line) => line !== '')
}

function parsePlan (header: readonly string[]): Plan {
  const topics: TopicPlan[] = []
  const plan: Mutable<Plan> = {
    brokers: 3, topics, producers: 2, consumers: 1, members: 0, workers: 0, orderedByKey: false, sendEveryMs: 10,
    valueBytesMax: 20, deliveryTimeoutMs: 120_000, learnerBytesPerSecond: 0, newAddressChance: 0, safetyMs: 0,
    net: { ...calmConditions }, kubeDelayMs: 2, kubeFaultChance: 0, kubeFaults: [], faults: new Map()
  }
  for (const line of header) {
    const words = line.split(/\s+/)
    const last = words.at(-1)!
    switch (words[0]) {
      case 'brokers': plan.brokers = Number(last); break
      case 'producers': plan.producers = Number(last); break
      case 'consumers': plan.consumers = Number(last); break
      case 'members': plan.members = Number(last); break
      case 'workers':
        plan.workers = Number(words[1])
        plan.orderedByKey = last === 'key'
        break
      case 'send': plan.sendEveryMs = milliseconds(last); break
      case 'values': plan.valueBytesMax = Number(words[3]); break
      case 'deliver': plan.deliveryTimeoutMs = milliseconds(last); break
      case 'topic': topics.push({
        name: words[1]!, partitions: Number(words[3]), replicas: Number(words[5]), minInSync: Number(words[7]),
        segmentBytes: 1024 * 1024, retentionBytes: -1, ...words.includes('transient') && { transient: true },
        ...words.includes('expendable') && { expendable: true },
        ...last === 'letters' && { holdsDeadLetters: true }
      }); break
      default: throw new Error(`not a line of a plan: '${line}'`)
    }
  }
  return plan
}

class Script {
  readonly #simulation: Simulation
  readonly #snapshots = new Map<SimBroker, Image>()
  #markedAtMs = 0

  constructor (simulation: Simulation) { this.#simulation = simulation }

  async run (line: string): Promise<void> {
    const [verb = '', ...words] = line.split(/\s+/)
    const { cluster } = this.#simulation
    switch (verb) {
      case 'pass': await this.#simulation.pass(milliseconds(words[0]!)); break
      case 'cut': this.#cut(words[0]!); break
      case 'heal': cluster.network.healAll(); break
      case 'kube':
        if (words[0] === 'delay') cluster.kube.conditions.delayMs = milliseconds(words[1]!)
        else cluster.kube.conditions.state = words[0] as 'up' | 'down' | 'silent'
        break
      case 'mark': this.#markedAtMs = cluster.scheduler.now; break
      case 'expect': this.#expect(words, line); break
      case 'within': await this.#within(milliseconds(words[0]!), words.slice(1)); break
      case 'swap': this.#swap(words); break
      case 'restart': this.#simulation.restartClient(cluster.scheduler.rng.fork(`script/${line}`)); break
      case 'add': case 'remove': case 'move': case 'give': case 'elect': case 'apply': case 'delete': case 'recover':
        await wish(this.#simulation, verb, words)
        break
      case 'disk':
        for (const broker of this.#who(words.slice(1))) broker.syncMs = milliseconds(words[0]!)
        break
      default: for (const broker of this.#who(words)) this.#do(verb, broker)
    }
  }

  #do (verb: string, broker: SimBroker): void {
    switch (verb) {
      case 'pause': broker.pause(); break
      case 'resume': broker.resume(); break
      case 'kill':
      case 'power':
        broker.held = true
        broker.end(verb)
        break
      case 'start':
        broker.held = false
        broker.start()
        break
      case 'stop': broker.stop(); break
      case 'wipe': broker.wipe(); break
      case 'readdress': this.#simulation.cluster.addresses.renew(broker); break
      case 'flip': broker.flipBits(10); break
      case 'rot': broker.flipBits(10, 'journal/'); break
      case 'unreadable': broker.failReads(); break
      case 'readable': broker.healDisk(); break
      case 'snapshot': this.#snapshots.set(broker, broker.copyVolume()); break
      case 'rollback': broker.rollBack(this.#snapshots.get(broker)!, broker.volumeIdLast); break
      default: throw new Error(`not a line of a script: '${verb}'`)
    }
  }

  #who (words: readonly string[]): readonly SimBroker[] {
    const { cluster } = this.#simulation
    const [first = ''] = words
    if (first === 'all') return cluster.brokers
    const ids = first === 'controller'
      ? cluster.brokers.filter(({ node }) => node?.parts?.agent.counters.isController === 1).map(({ id }) => id)
      : first === 'leader' ? [this.#simulation.leaderOf(words[2]!)] : first.split(',').map(Number)
    return ids.map((id) => {
      const broker = cluster.brokers[id]
      if (broker === undefined) throw new SimFailure('script', `there is no broker ${id} for '${words.join(' ')}'`)
      return broker
    })
  }

  #swap (words: readonly string[]): void {
    const { cluster: { addresses, brokers } } = this.#simulation
    const [a, b] = words.slice(-2).map((id) => brokers[Number(id)]!)
    if (words[0] === 'addresses') addresses.exchange(a!, b!)
    else a!.swapVolumes(b!)
  }

  #cut (pair: string): void {
    const { network } = this.#simulation.cluster
    const [from, to] = pair.split(/[->]/).map((name) => this.#hosts(name))
    for (const a of from!) {
      for (const b of to!) {
        network.cut(a, b)
        if (pair.includes('-')) network.cut(b, a)
      }
    }
  }

  #hosts (name: string): readonly string[] {
    if (/^\d+$/.test(name)) return [`b${name}`]
    if (name !== 'controller' && name !== 'peers') return [name]
    const { cluster } = this.#simulation
    const controllers = this.#who(['controller'])
    const those = name === 'controller' ? controllers : cluster.brokers.filter((each) => !controllers.includes(each))
    return those.map(({ id }) => `b${id}`)
  }

  /** Time passes until it is so. */
  async #within (ms: number, words: readonly string[]): Promise<void> {
    const simulation = this.#simulation
    const { scheduler } = simulation.cluster
    const untilMs = scheduler.now + ms
    while (!holds(simulation, words)) {
      if (simulation.failed) return
      if (scheduler.now >= untilMs) throw new SimFailure('script', `not within ${ms} ms: ${words.join(' ')}`)
      await simulation.pass(20)
    }
  }

  #expect (words: readonly string[], line: string): void {
    const since = this.#markedAtMs
    if (words[0] === 'gap') {
      const allowedMs = milliseconds(words[2]!)
      for (const [key, gapMs] of this.#simulation.gaps(since)) {
        if (words[3] !== undefined && words[3] !== key) continue
        if (gapMs <= allowedMs) continue
        throw new SimFailure('gap', `'${line}': ${Math.round(gapMs)} ms without a write to ${key}`)
      }
    } else if (words.join(' ') === 'no failed sends') {
      for (const operation of this.#simulation.history.operations) {
        if (operation.kind === 'send' && operation.error !== undefined && operation.endMs >= since) {
          throw new SimFailure('failed send', `'${line}': ${operation.value}: ${operation.error}`)
        }
      }
    } else if (words[0] === 'reached') {
      const state = sometimes.find((each) => each === words.slice(1).join(' '))
      if (state === undefined) throw new Error(`not a state: '${line}'`)
      if (!this.#simulation.coverage.counts.has(state)) throw new SimFailure('script', `'${line}': it was not`)
    } else throw new Error(`not an expectation: '${line}'`)
  }
}

/** @param text as described above */
export function runScenario (text: string, seed: number, spectator: Spectator = {}): Promise<RunResult> {
  const all = lines(text)
  const border = all.indexOf('---')
  return runWith(seed, parsePlan(all.slice(0, border)), spectator, async (simulation) => {
    const script = new Script(simulation)
    for (const line of all.slice(border + 1)) {
      if (!simulation.failed) await script.run(line)
    }
  })
}
