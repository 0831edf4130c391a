// A cluster that has something to measure: three brokers on small disks of their own, two operators, a producer that
// does not rest, a group that keeps up and one that went home, a worker of a queue group, and the real Prometheus
// looking at all of it.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { descendants, ended, freePort, LocalCluster, until } from '../fault/harness.ts'
import { Volumes } from '../fault/faults/mounts.ts'
import { readRules, root, shortened } from './alerts.ts'
import { serveTargets } from './discovery.ts'
import { Prometheus } from './prometheus.ts'

const startMsMax = 60_000
/** `npm start` takes a folder that it made itself, or that looks like it. */
const mark = { format: 1, version: '0.0.0' }

interface Listed {
  readonly partition: number
  readonly leader: number
}

export class Shop {
  readonly volumes: Volumes
  readonly #folder = mkdtempSync(join(tmpdir(), 'millrace-monitoring-'))
  readonly #children: ChildProcess[] = []
  readonly #ends: (() => Promise<unknown>)[] = []
  #cluster: LocalCluster | undefined
  #prometheus: Prometheus | undefined
  /** The one worker of a queue group that keeps up. */
  washers: ChildProcess | undefined

  private constructor () {
    this.volumes = new Volumes(join(this.#folder, 'cluster'))
  }

  get cluster (): LocalCluster { return this.#cluster! }
  get prometheus (): Prometheus { return this.#prometheus! }

  /** When it fails half-way nothing is left behind. */
  static async open (): Promise<Shop> {
    const shop = new Shop()
    try {
      await shop.#open()
    } catch (error) {
      await shop.close()
      throw error
    }
    return shop
  }

  async #open (): Promise<void> {
    const folder = join(this.#folder, 'cluster')
    mkdirSync(folder)
    writeFileSync(join(folder, 'millrace.json'), JSON.stringify(mark))
    this.volumes.mount(3)
    const cluster = this.#cluster = await LocalCluster.start({ folder })
    this.#ends.push(async () => await cluster.stop('SIGKILL'))
    const port = (of: string): string => new RegExp(of).exec(cluster.said())?.[1] ?? ''
    const standbyPort = await freePort()
    this.#children.push(spawn(process.execPath, [join(root, 'operator/main.ts')], {
      stdio: 'ignore',
      env: {
        ...process.env,
        ...cluster.env,
        MILLRACE_POD_NAME: 'standby',
        MILLRACE_LISTEN_METRICS: `127.0.0.1:${standbyPort}`
      }
    }))
    const kubernetes = (await this.kubectl(['config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}'])).trim()
    const discovery = await serveTargets(kubernetes)
    this.#ends.push(discovery.close)
    const operators = { 'millrace-0': Number(port(':([0-9]+)/metrics  operator')), 'millrace-1': standbyPort }
    const prometheus = this.#prometheus = await Prometheus.start(join(this.#folder, 'prometheus'),
      { discovery: discovery.url, operators }, shortened(readRules()))
    this.#ends.push(async () => { await prometheus.stop() })
    await this.#work()
  }

  async #work (): Promise<void> {
    await this.millrace('topic', 'create', 'alone', '--partitions', '6', '--replicas', '1')
    await this.millrace('topic', 'create', 'rotten', '--partitions', '1', '--replicas', '3')
    for (const topic of ['dishes', 'dishes.dead', 'pans']) {
      await this.millrace('topic', 'create', topic, '--partitions', '2', '--replicas', '3')
    }
    this.washers = this.worker('dishes', 'washers', 'dishes.dead')
    this.#inBackground('yes "one cup" | "$MILLRACE" produce dishes --rate 50 --timeout 600')
    this.#inBackground('yes "one coffee" | "$MILLRACE" produce orders --rate 500 --timeout 600')
    this.#inBackground('"$MILLRACE" consume orders -g kitchen -o start --timeout 600')
    await this.millrace('consume', 'orders', '-g', 'stuck', '-o', 'start', '-n', '100')
  }

  /** Of a queue group. */
  worker (topic: string, group: string, deadLetterTopic: string): ChildProcess {
    const args = [join(root, 'test/monitoring/worker.ts'), this.cluster.env['MILLRACE_BOOTSTRAP']!, topic, group,
      deadLetterTopic]
    const child = spawn(process.execPath, args, { stdio: 'ignore' })
    this.#children.push(child)
    return child
  }

  /** One record in a topic. */
  async say (topic: string, value: string): Promise<void> {
    const { code, stderr } = await this.cluster.millrace(['produce', topic], { input: `${value}\n` })
    if (code !== 0) throw new Error(`millrace produce ${topic}: ${stderr}`)
  }

  #inBackground (command: string): void {
    const env = { ...process.env, ...this.cluster.env, MILLRACE: join(root, 'bin/millrace') }
    this.#children.push(spawn('sh', ['-c', command], { env, stdio: 'ignore' }))
  }

  async millrace (...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cluster.millrace(args)
    if (code !== 0) throw new Error(`millrace ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  async kubectl (args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.cluster.kubectl(args, { input })
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  async pid (broker: number): Promise<number> {
    return Number(await this.kubectl(['get', 'pod', `events-${broker}`, '-o',
      'jsonpath={.metadata.annotations.millrace\\.dev/pid}']))
  }

  /** The process that plays Kubernetes: API, controllers and kubelet. */
  async kubernetesPid (): Promise<number> {
    const broker = await this.pid(0)
    return descendants(this.cluster.process.pid!).find(pid => descendants(pid).includes(broker) &&
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('local/start.ts'))!
  }

  async controller (): Promise<number> {
    return Number(await this.kubectl(['get', 'lease', 'events-controller', '-o', 'jsonpath={.spec.holderIdentity}']))
  }

  async leaders (topic: string): Promise<Listed[]> {
    const lines = (await this.millrace('partition', 'list', topic, '--json')).trim().split('\n')
    return lines.map(line => JSON.parse(line) as Listed)
  }

  volumeFolder (broker: number): string {
    return join(this.#folder, `cluster/volumes/data-events-${broker}`)
  }

  /** Everything serves, and every alert but that of the group which went home is quiet. */
  async well (): Promise<void> {
    let firing: string[] = []
    await until(`all is well; fires still: ${firing.join()}`, startMsMax, async () => {
      const alerts = await this.prometheus.alerts()
      firing = alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels['alertname']!)
      const serving = await this.prometheus.query('sum(millrace_broker_ready) == 3')
      return serving.length === 1 && firing.every(name => quietLater.has(name))
    }).catch((error: unknown) => { throw new Error(`${(error as Error).message}; fires: ${firing.join()}`) })
  }

  async close (): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      for (const pid of [...descendants(child.pid!), child.pid!]) kill(pid)
      await ended(child).catch(() => {})
    }
    for (const end of this.#ends.reverse()) await end()
    this.volumes.unmount()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function kill (pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** One is never fixed here, and two look back. */
const quietLater = new Set(['MillraceGroupLagGrowing', 'MillracePartitionsDamaged', 'MillraceQueueDeadLetters'])
