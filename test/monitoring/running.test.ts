// The real Prometheus on a running cluster: every panel of every dashboard has data, and every alert is fired once by
// a real fault. Waits of the rules are shortened (alerts.ts); their thresholds stand, but for silence.
import { spawn } from 'node:child_process'
import { openSync, readdirSync, readFileSync, statSync, writeSync, closeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { dashboards } from '../../scripts/dashboards.ts'
import { alive, ended, until } from '../fault/harness.ts'
import { alertsOf, readRules, root } from './alerts.ts'
import { Shop } from './shop.ts'

const fireMsMax = 90_000
const dataMsMax = 60_000

let shop: Shop
const fired = new Set<string>()

beforeAll(async () => { shop = await Shop.open() })
afterAll(async () => { await shop.close() })
afterEach(async () => { await shop.well() })

/** Resolves when each of these fires, with its texts filled in. */
async function fire (...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const alert = await until(`${name} fires`, fireMsMax, () => shop.prometheus.firing(name))
    const { summary, description } = alert.annotations
    expect(`${summary} ${description}`).not.toMatch(/<no value>|error|\{\{/i)
    fired.add(name)
  }
}

function signal (pids: readonly number[], name: NodeJS.Signals): void {
  // The kubelet's part starts a broker again that did not answer for too long.
  for (const pid of pids) if (alive(pid)) process.kill(pid, name)
}

/** As Grafana fills them in: everything is selected. */
function filledIn (expr: string): string {
  return expr.replaceAll('$__rate_interval', '15s')
    .replaceAll(/\$(namespace|cluster|topic|group|operator_namespace)\b/g, '.*')
}

it('gives brokers the labels that alerts and dashboards use', async () => {
  const up = await until('three brokers and two operators are read', dataMsMax, async () => {
    const found = await shop.prometheus.query('up == 1')
    return found.length === 5 ? found : undefined
  })
  const brokers = up.filter(({ metric }) => metric['millrace_cluster'] !== undefined)
  const labels = brokers.map(({ metric: { namespace, millrace_cluster: of, pod } }) => `${namespace} ${of} ${pod}`)
  expect(labels.sort()).toEqual(
    ['default events events-0', 'default events events-1', 'default events events-2'])
})

const panels = dashboards.flatMap(({ file, rows }) => rows.flatMap(row => row.panels.map(panel =>
  [file, panel.title, panel] as const)))

it.each(panels)('dashboard %s: %s has data', async (file, _title, { queries }) => {
  for (const { expr } of queries) {
    const samples = await until(`data for ${expr}`, dataMsMax, async () => {
      // An operator that has nothing to do does nothing.
      if (file === 'operator') await shop.kubectl(['annotate', '--overwrite', 'mrt/alone', `touched=${Date.now()}`])
      const found = await shop.prometheus.query(filledIn(expr))
      return found.some(({ value }) => value[1] !== 'NaN') ? found : undefined
    })
    expect(samples.length).toBeGreaterThan(0)
  }
})

it('MillraceGroupLagGrowing: a group that went home', async () => {
  await fire('MillraceGroupLagGrowing')
})

/** What a worker had is delivered again when it is gone. */
async function replaceWorker (): Promise<void> {
  const { washers } = shop
  washers!.kill('SIGKILL')
  await ended(washers!)
  shop.washers = shop.worker('dishes', 'washers', 'dishes.dead')
}

it('a queue group of which all workers are dead', async () => {
  shop.washers!.kill('SIGKILL')
  await ended(shop.washers!)
  await fire('MillraceQueueWithoutWorkers')
  shop.washers = shop.worker('dishes', 'washers', 'dishes.dead')
})

it('a worker that hangs at a record', async () => {
  await shop.say('dishes', 'bottomless')
  await fire('MillraceQueueRecordStuck')
  await replaceWorker()
})

it('a record that fails each time', async () => {
  await shop.say('dishes', 'spoiled')
  await fire('MillraceQueueDeadLetters')
})

it('a dead-letter topic that does not exist', async () => {
  const scrubber = shop.worker('pans', 'scrubbers', 'pans.dead')
  await shop.say('pans', 'spoiled')
  await fire('MillraceQueueDeadLettersStuck')
  await shop.millrace('topic', 'create', 'pans.dead', '--partitions', '2', '--replicas', '3')
  await until('it has its dead letter', dataMsMax, async () =>
    (await shop.prometheus.query('millrace_queue_dead_lettered_total{group="scrubbers"} == 1')).length > 0)
  scrubber.kill('SIGTERM')
  await ended(scrubber)
})

it('a broker that is paused', async () => {
  const controller = await shop.controller()
  const broker = [0, 1, 2].find(each => each !== controller)!
  const pid = await shop.pid(broker)
  signal([pid], 'SIGSTOP')
  await fire('MillraceBrokerUnreachable', 'MillraceBrokerAway', 'MillracePartitionsOffline',
    'MillracePartitionsUnderReplicated')
  signal([pid], 'SIGCONT')
})

it('two brokers that are paused', async () => {
  const controller = await shop.controller()
  const others = [0, 1, 2].filter(each => each !== controller)
  const pids = await Promise.all(others.map(each => shop.pid(each)))
  signal(pids, 'SIGSTOP')
  await fire('MillracePartitionsUnderMinInSync', 'MillraceProduceErrors')
  signal(pids, 'SIGCONT')
})

it('a slow disk', async () => {
  const leader = (await shop.leaders('orders'))[0]!.leader
  const tracer = spawn('strace', ['-f', '-qq', '-p', String(await shop.pid(leader)), '-o', '/dev/null',
    '-e', 'trace=fdatasync', '-e', 'inject=fdatasync:delay_enter=700000'], { stdio: 'ignore' })
  await fire('MillraceFsyncSlow', 'MillraceCommitLatencyHigh')
  tracer.kill('SIGINT')
  await ended(tracer)
})

it('a full disk', async () => {
  shop.volumes.fill(1)
  await fire('MillraceVolumeFull', 'MillraceVolumeFillingUp')
  // Its leaderships have gone to others, so that the operator has asked how things are.
  await shop.kubectl(['wait', 'mrc/events', '--timeout=60s',
    '--for=jsonpath={.status.conditions[?(@.type=="DiskLow")].reason}=VolumeFull'])
  expect(await shop.kubectl(['get', 'mrc/events', '-o', 'jsonpath={.status.lowDisks[*].broker}'])).toBe('1')
  shop.volumes.empty(1)
})

it('a segment whose bytes have changed', async () => {
  await shop.millrace('produce', 'rotten', '--timeout', '30').catch(() => '')
  const input = Array.from({ length: 2_000 }, (_, line) => `record ${line} ${'x'.repeat(500)}\n`).join('')
  const produced = await shop.cluster.millrace(['produce', 'rotten'], { input })
  expect(produced.code, produced.stderr).toBe(0)
  const leader = (await shop.leaders('rotten'))[0]!.leader
  // A clean stop writes segments; the next process has nothing of them in memory.
  const before = await shop.pid(leader)
  await shop.kubectl(['delete', 'pod', `events-${leader}`])
  await until('another process', dataMsMax, async () => {
    const pid = await shop.pid(leader).catch(() => before)
    return pid !== before && pid > 0
  })
  const folder = join(shop.volumeFolder(leader), 'topics')
  const topic = readdirSync(folder).find(name => name.startsWith('rotten-0.'))!
  const segment = join(folder, topic, readdirSync(join(folder, topic)).find(name => name.endsWith('.log'))!)
  const file = openSync(segment, 'r+')
  writeSync(file, 'rotten', Math.floor(statSync(segment).size / 2))
  closeSync(file)
  await until('it leads again', dataMsMax, async () => {
    await shop.cluster.millrace(['partition', 'elect', 'rotten/0', '--leader', String(leader)])
    return (await shop.leaders('rotten'))[0]!.leader === leader
  })
  // From the sound replica that takes over once the damage is found.
  const read = await shop.cluster.millrace(['consume', 'rotten', '-o', 'start', '-e'])
  expect(read.stdout).toBe(input)
  await fire('MillracePartitionsDamaged')
})

it('a name that somebody else has taken', async () => {
  const labels = { app: 'theirs' }
  const theirs = {
    apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'taken' },
    spec: {
      replicas: 0, serviceName: 'theirs', selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'theirs', image: 'example.com/theirs' }] } }
    }
  }
  const ours = {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'taken' },
    spec: { brokers: 1, storage: { size: '1Gi' } }
  }
  for (const object of [theirs, ours]) await shop.kubectl(['apply', '-f', '-'], JSON.stringify(object))
  await fire('MillraceReconcileFailing')
  await shop.kubectl(['delete', 'mrc/taken', 'statefulset/taken'])
})

it('a Kubernetes API that hangs, while the controller dies and its broker is started by hand', async () => {
  const controller = await shop.controller()
  const pid = await shop.pid(controller)
  const environment = Object.fromEntries(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  const kubernetes = await shop.kubernetesPid()
  signal([kubernetes], 'SIGSTOP')
  signal([pid], 'SIGKILL')
  await fire('MillraceNoController')
  const broker = spawn(process.execPath, [join(root, 'broker/main.ts')], { env: environment, stdio: 'ignore' })
  await fire('MillraceBrokerNotReady', 'MillraceKubernetesApiErrors', 'MillraceOperatorWatchSilent',
    'MillraceOperatorNotLeading')
  broker.kill('SIGKILL')
  await ended(broker)
  signal([kubernetes], 'SIGCONT')
})

it('has fired every alert', () => {
  expect([...fired].sort()).toEqual(alertsOf(readRules()).map(({ alert }) => alert).sort())
})
