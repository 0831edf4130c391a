// What one operator carries: `npm run bench:operator`. The operator is a process of its own; around it are the embedded
// Kubernetes API with the StatefulSet controller of local/, and simulated kubelets and brokers' controllers
// (test/operator/scale/). One line for each figure with what is aimed at.
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from '../image/bundle.ts'
import { rootFolder, type Program } from '../local/child.ts'
import { writeKubeconfig } from '../local/kube/kubeconfig.ts'
import { operatorNodeOptions } from '../local/stack.ts'
import { until } from '../test/fault/harness.ts'
import { pause } from '../test/fault/faults/clock.ts'
import { clusters, Surroundings, topics, type Named } from '../test/operator/scale/surroundings.ts'
import { OperatorProcess } from './operator-process.ts'
import { makeRealTopics } from './operator-real.ts'

const { values } = parseArgs({
  options: {
    topics: { type: 'string', default: '10000' },
    burst: { type: 'string', default: '1000' },
    clusters: { type: 'string', default: '50' },
    brokers: { type: 'string', default: '9' },
    idle: { type: 'string', default: '60' },
    only: { type: 'string' },
    requests: { type: 'boolean', default: false },
    bundle: { type: 'boolean', default: false },
    'node-options': { type: 'string', default: operatorNodeOptions }
  }
})
const topicCount = Number(values.topics)
const burst = Number(values.burst)
const clusterCount = Number(values.clusters)
const brokers = Number(values.brokers)
const idleMs = Number(values.idle) * 1000
const nodeOptions = values['node-options']

const aims = { readyMs: 10_000, restartMs: 60_000, cores: 0.05, memoryMiB: 256, writes: 0, reads: 0 }
const waitMsMax = 600_000
/** Nothing was asked of the Kubernetes API for so long: whatever was to be done is done. */
const calmMs = 5_000
/** Namespaces that the clusters are spread over. */
const namespaces = 10

let allMet = true

/** One line of the table. */
function report (what: string, value: number, unit: string, aim?: number): void {
  const isMet = aim === undefined || value <= aim
  if (!isMet) allMet = false
  const digits = Number.isInteger(value) ? 0 : value < 1 ? 4 : 1
  console.log(`${what.padEnd(62)} ${value.toFixed(digits).padStart(8)} ${unit.padEnd(6)}` +
    (aim === undefined ? '' : ` ${isMet ? 'met' : 'MISSED'}, at most ${aim}`))
}

interface Scene {
  readonly world: Surroundings
  operator: OperatorProcess
  restart (): Promise<void>
}

/** A fresh Kubernetes API, and an operator that leads. */
async function withOperator (body: (scene: Scene) => Promise<void>): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'millrace-operator-'))
  const world = await Surroundings.start(join(data, 'kube'))
  const kubeconfig = join(data, 'kubeconfig')
  writeKubeconfig(kubeconfig, { url: world.kube.url })
  const scene: Scene = {
    world,
    operator: await OperatorProcess.start(kubeconfig, program, nodeOptions),
    restart: async () => {
      await scene.operator.stop()
      scene.operator = await OperatorProcess.start(kubeconfig, program, nodeOptions)
    }
  }
  try {
    await scene.operator.ready(waitMsMax)
    await body(scene)
    if (scene.operator.said !== '') console.log(`the operator said: ${scene.operator.said.slice(0, 2_000)}`)
  } finally {
    await scene.operator.stop()
    await world.close()
    rmSync(data, { recursive: true, force: true })
  }
}

/** What was asked of the Kubernetes API since the last reset. */
function listRequests ({ world: { requests } }: Scene): void {
  if (!values.requests) return
  for (const [request, count] of requests.all()) console.log(`  ${request}: ${count}`)
}

async function calm ({ world: { requests } }: Scene): Promise<void> {
  let seen = -1
  let since = performance.now()
  await until('a calm operator', waitMsMax, () => {
    const now = requests.writes + requests.reads
    if (now !== seen) { seen = now; since = performance.now() }
    return performance.now() - since >= calmMs
  })
}

/** What it costs when nothing is to be done. */
async function idle (scene: Scene, what: string): Promise<void> {
  const { world: { requests } } = scene
  await calm(scene)
  requests.reset()
  const [beganAt, cpu] = [performance.now(), scene.operator.cpuSeconds]
  await pause(idleMs)
  const seconds = (performance.now() - beganAt) / 1000
  const { nowMiB, peakMiB } = scene.operator.memory
  report(`${what}, idle for ${Math.round(seconds)} s: CPU`, (scene.operator.cpuSeconds - cpu) / seconds, 'cores',
    aims.cores)
  report(`${what}, idle: memory (RSS)`, nowMiB, 'MiB', aims.memoryMiB)
  report(`${what}, idle: the most memory since it began`, peakMiB, 'MiB')
  report(`${what}, idle: writes to the Kubernetes API`, requests.writes, '', aims.writes)
  report(`${what}, idle: reads and lists`, requests.reads, '', aims.reads)
  report(`${what}, idle: requests for its own Lease`, requests.lease, '')
  listRequests(scene)
}

/** Killed and started again: until every object has been looked at once. */
async function restart (scene: Scene, what: string,
  objects: Readonly<Record<'Cluster' | 'Topic', number>>): Promise<void> {
  const { world: { requests } } = scene
  requests.reset()
  const beganAt = performance.now()
  await scene.restart()
  await scene.operator.ready(waitMsMax)
  report(`${what}, restart: until ready`, (performance.now() - beganAt) / 1000, 's', aims.restartMs / 1000)
  await until('everything reconciled', waitMsMax, async () => {
    for (const [kind, count] of Object.entries(objects)) {
      const done = await scene.operator.metric('millrace_operator_reconciles_total', `kind="${kind}",result="done"`)
      const waiting = await scene.operator.metric('millrace_operator_queue_depth', `kind="${kind}"`)
      if (done < count || waiting > 0) return false
    }
    return true
  })
  report(`${what}, restart: until everything is reconciled`, (performance.now() - beganAt) / 1000, 's',
    aims.restartMs / 1000)
  report(`${what}, restart: CPU time`, scene.operator.cpuSeconds, 's')
  await calm(scene)
  report(`${what}, restart: writes to the Kubernetes API`, requests.writes, '', aims.writes)
  report(`${what}, restart: reads and lists`, requests.reads, '')
  listRequests(scene)
}

async function manyTopics (scene: Scene): Promise<void> {
  const { world } = scene
  const events: Named = { namespace: 'default', name: 'events' }
  await world.createCluster(events, 3)
  await world.ready(clusters, 1, waitMsMax)
  let beganAt = performance.now()
  const cpu = scene.operator.cpuSeconds
  await Promise.all([world.createTopics(events, 0, burst), world.ready(topics, burst, waitMsMax)])
  report(`${burst} topics: created → all Ready`, (performance.now() - beganAt) / 1000, 's', aims.readyMs / 1000)
  report(`${burst} topics: CPU time of the operator`, scene.operator.cpuSeconds - cpu, 's')
  beganAt = performance.now()
  await Promise.all([world.createTopics(events, burst, topicCount), world.ready(topics, topicCount, waitMsMax)])
  report(`${topicCount - burst} more: created → all Ready`, (performance.now() - beganAt) / 1000, 's')
  await idle(scene, `${topicCount} topics`)
  await restart(scene, `${topicCount} topics`, { Cluster: 1, Topic: topicCount })
  await idle(scene, `${topicCount} topics after a restart`)
}

async function manyClusters (scene: Scene): Promise<void> {
  const { world } = scene
  const beganAt = performance.now()
  await Promise.all([
    world.ready(clusters, clusterCount, waitMsMax),
    ...Array.from({ length: clusterCount }, async (_, index) => {
      await world.createCluster({ namespace: `team-${index % namespaces}`, name: `events-${index}` }, brokers)
    })
  ])
  const what = `${clusterCount} clusters of ${brokers} brokers`
  report(`${what}: created → all Ready`, (performance.now() - beganAt) / 1000, 's')
  report(`${what}: CPU time of the operator`, scene.operator.cpuSeconds, 's')
  await idle(scene, what)
  await restart(scene, what, { Cluster: clusterCount, Topic: 0 })
  await idle(scene, `${what} after a restart`)
}

/** From the sources as `npm start` does, or what the image runs. */
async function programOf (folder: string): Promise<Program> {
  if (!values.bundle) return { file: join(rootFolder, 'operator/main.ts'), args: [] }
  await bundle({ folder, arch: process.arch })
  return { file: join(folder, 'image/entry.js'), args: ['operator'] }
}

/** With real brokers: their controller and their disks have as much to do as the operator. */
async function realTopics (): Promise<void> {
  const { appliedMs, afterApplyMs, burstMs } = await makeRealTopics(burst)
  const what = `three real brokers, ${burst} topics`
  report(`${what}: kubectl apply, which makes one by one`, appliedMs / 1000, 's')
  report(`${what}: from its end → all Ready`, afterApplyMs / 1000, 's')
  report(`${what} more, many at once: created → all Ready`, burstMs / 1000, 's', aims.readyMs / 1000)
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  topics: () => withOperator(manyTopics), clusters: () => withOperator(manyClusters), real: realTopics
}
const folder = mkdtempSync(join(tmpdir(), 'millrace-bundle-'))
const program = await programOf(folder)
console.log(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}; the operator from ` +
  `${values.bundle ? "the image's bundle" : 'its sources'}, NODE_OPTIONS='${nodeOptions}'`)
for (const [name, run] of Object.entries(parts)) {
  if (values.only === undefined || values.only.split(',').includes(name)) await run()
}
rmSync(folder, { recursive: true, force: true })
process.exit(allMet ? 0 : 1)
