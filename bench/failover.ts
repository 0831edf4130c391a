// How long writing stands still when a broker fails: `npm run bench:failover`. A real cluster in a folder of its
// own, one record to every partition every few milliseconds, each acknowledged by the quorum; the gap of a
// partition is the longest time between two acknowledgements around the fault.
import { parseArgs } from 'node:util'
import { Millrace } from '../client/index.ts'
import { alive, LocalCluster, until } from '../test/fault/harness.ts'

const everyMs = 10
const topic = 'gaps'
const pauseMs = 6_000

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    partitions: { type: 'string', default: '30' },
    faults: { type: 'string', default: 'kill,controller,pause,stop' }
  }
})
const rounds = Number(values.rounds)
const partitions = Number(values.partitions)

/** Sends to every partition all the time, remembers when each was last acknowledged. */
class Load {
  errors = 0
  acknowledged = 0
  readonly #last = new Map<number, number>()
  readonly #longest = new Map<number, number>()
  readonly #client: Millrace
  readonly #timer: NodeJS.Timeout

  constructor (bootstrap: string) {
    this.#client = new Millrace({ bootstrap })
    const producer = this.#client.producer({ lingerMs: 0 })
    const outstanding = new Map<number, number>()
    this.#timer = setInterval(() => {
      for (let partition = 0; partition < partitions; partition++) {
        if ((outstanding.get(partition) ?? 0) >= 5) continue
        outstanding.set(partition, (outstanding.get(partition) ?? 0) + 1)
        producer.send({ topic, partition, value: String(this.acknowledged) }).then(
          () => { this.#acknowledged(partition) },
          () => { this.errors++ }).finally(() => { outstanding.set(partition, outstanding.get(partition)! - 1) })
      }
    }, everyMs)
  }

  #acknowledged (partition: number): void {
    const now = performance.now()
    const gap = now - (this.#last.get(partition) ?? now)
    this.#last.set(partition, now)
    this.#longest.set(partition, Math.max(gap, this.#longest.get(partition) ?? 0))
    this.acknowledged++
  }

  reset (): void { this.#longest.clear() }
  /** The longest gap of any partition since reset, those that still wait included. */
  longestGapMs (): number {
    const now = performance.now()
    return Math.max(...[...this.#last].map(([partition, last]) =>
      Math.max(now - last, this.#longest.get(partition) ?? 0)))
  }

  /** Every partition was acknowledged since `since`. */
  allSince (since: number): boolean {
    return this.#last.size === partitions && [...this.#last.values()].every(last => last > since)
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
    await this.#client.close()
  }
}

async function pidOf (cluster: LocalCluster, broker: number): Promise<number> {
  const shown = await cluster.kubectl(['get', 'pod', `events-${broker}`, '-o',
    'jsonpath={.metadata.annotations.millrace\\.dev/pid}'])
  return Number(shown.stdout)
}

interface Status { controller?: number, brokers: { ready: number }, partitions: { underReplicated: number } }

async function status (cluster: LocalCluster): Promise<Status> {
  const shown = await cluster.millrace(['cluster', 'describe', '--json'])
  return JSON.parse(shown.stdout) as Status
}

async function settled (cluster: LocalCluster): Promise<void> {
  await until('a cluster in sync', 60_000, async () => {
    const { brokers, partitions: { underReplicated } } = await status(cluster)
    return brokers.ready === 3 && underReplicated === 0
  })
}

async function controllerOf (cluster: LocalCluster): Promise<number> {
  const lease = await cluster.kubectl(['get', 'lease', 'events-controller', '-o', 'jsonpath={.spec.holderIdentity}'])
  return Number(lease.stdout)
}

async function round (cluster: LocalCluster, load: Load, fault: string, index: number): Promise<number> {
  await settled(cluster)
  await until('writes to every partition', 30_000, () => load.allSince(performance.now() - 100))
  const controller = await controllerOf(cluster)
  // The victim that is not the controller, unless that is what is asked for: the two kinds of failover.
  const broker = fault === 'controller' ? controller : [0, 1, 2].filter(id => id !== controller)[index % 2]!
  const pid = await pidOf(cluster, broker)
  load.reset()
  const at = performance.now()
  if (fault === 'pause') {
    process.kill(pid, 'SIGSTOP')
    setTimeout(() => { process.kill(pid, 'SIGCONT') }, pauseMs)
    await until('the pause is over', 2 * pauseMs, () => performance.now() - at > pauseMs + 1_000)
  } else if (fault === 'stop') {
    process.kill(pid, 'SIGTERM')
    await until('the broker has stopped', 20_000, () => !alive(pid))
  } else {
    process.kill(pid, 'SIGKILL')
  }
  const after = performance.now()
  await until('writes to every partition again', 60_000, () => load.allSince(after + 500))
  return load.longestGapMs()
}

const cluster = await LocalCluster.start()
try {
  const created = await cluster.millrace([
    'topic', 'create', topic, '--partitions', String(partitions), '--replicas', '3'
  ])
  if (created.code !== 0) throw new Error(created.stderr)
  const load = new Load(`127.0.0.1:${cluster.port}`)
  console.log(`${partitions} partitions, 3 replicas, a record to each every ${everyMs} ms, ${rounds} rounds each`)
  console.log('fault        longest gap ms: median [min-max]   errors')
  for (const fault of values.faults.split(',')) {
    const gaps: number[] = []
    const errorsBefore = load.errors
    for (let index = 0; index < rounds; index++) gaps.push(Math.round(await round(cluster, load, fault, index)))
    gaps.sort((a, b) => a - b)
    const median = gaps[Math.floor(gaps.length / 2)]
    console.log(`${fault.padEnd(12)} ${String(median).padStart(6)} [${gaps[0]}-${gaps.at(-1)}]` +
      `${' '.repeat(20)}${load.errors - errorsBefore}`)
  }
  await load.close()
} finally {
  await cluster.stop()
  cluster.remove()
}
