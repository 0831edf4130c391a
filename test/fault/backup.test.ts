// docs/operations/backup.md: copies of the volumes, each of another moment while producers go on, and a new Kubernetes
// that knows nothing. What was acknowledged before the first copy is all there.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { LocalCluster, root, until } from './harness.ts'

const brokers = [0, 1, 2]
const records = 3_000
const copies = mkdtempSync(join(tmpdir(), 'millrace-backup-'))
const clusters: LocalCluster[] = []

afterAll(async () => {
  for (const cluster of clusters) {
    await cluster.stop('SIGKILL')
    cluster.remove()
  }
  rmSync(copies, { recursive: true })
})

async function start (): Promise<LocalCluster> {
  const cluster = await LocalCluster.start()
  clusters.push(cluster)
  return cluster
}

async function kubectl (cluster: LocalCluster, args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args, { input })
  expect(code, stderr).toBe(0)
  return stdout
}

const volume = (cluster: LocalCluster, broker: number): string => join(cluster.folder, `volumes/data-events-${broker}`)

/** Nothing in the volume changes meanwhile, as in a snapshot. */
async function copy (cluster: LocalCluster, broker: number): Promise<void> {
  const pid = Number(await kubectl(cluster, ['get', 'pod', `events-${broker}`, '-o',
    'jsonpath={.metadata.annotations.millrace\\.dev/pid}']))
  process.kill(pid, 'SIGSTOP')
  cpSync(volume(cluster, broker), join(copies, String(broker)), { recursive: true })
  process.kill(pid, 'SIGCONT')
}

function claim (broker: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: `data-events-${broker}` },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
  })
}

/** A Kubernetes without a Cluster of that name, and without anything of it. */
async function emptied (): Promise<LocalCluster> {
  const cluster = await start()
  await kubectl(cluster, ['delete', 'mrt/orders', 'mrc/events'])
  await until('the pods are gone', 30_000, async () =>
    await kubectl(cluster, ['get', 'pods', '-o', 'name']) === '')
  await kubectl(cluster, ['delete', 'partitiontables,pvc,lease', '--all'])
  return cluster
}

it('everything is rebuilt from copies of the volumes', async () => {
  const old = await start()
  const clusterUid = await kubectl(old, ['get', 'mrc/events', '-o', 'jsonpath={.metadata.uid}'])
  const lines = Array.from({ length: records }, (_, index) => `before ${index}\n`)
  const produced = await old.millrace(['produce', 'orders', '-p', '0'], { input: lines.join('') })
  expect(produced.code, produced.stderr).toBe(0)
  const committed = await old.millrace(['consume', 'orders', '-g', 'audit', '-o', 'start', '-n', '1000'])
  expect(committed.code, committed.stderr).toBe(0)
  let isCopied = false
  const others = (async () => {
    for (let round = 0; !isCopied; round++) {
      await old.millrace(['produce', 'orders', '-p', '0'], { input: `meanwhile ${round}\n`.repeat(100) })
    }
  })()
  for (const broker of brokers) await copy(old, broker)
  isCopied = true
  await others
  await old.stop('SIGKILL')

  const cluster = await emptied()
  for (const broker of brokers) await kubectl(cluster, ['apply', '-f', '-'], claim(broker))
  await kubectl(cluster, ['wait', '--for=jsonpath={.status.phase}=Bound', 'pvc', '--all', '--timeout=30s'])
  for (const broker of brokers) cpSync(join(copies, String(broker)), volume(cluster, broker), { recursive: true })
  const manifest = readFileSync(join(root, 'examples/cluster.yaml'), 'utf8')
  await kubectl(cluster, ['apply', '-f', '-'], manifest.replace('metadata:',
    `metadata:\n  annotations: {millrace.dev/adopt-volumes: ${clusterUid}}`))
  await kubectl(cluster, ['apply', '-f', 'examples/topic.yaml'])
  await kubectl(cluster, ['wait', '--for=condition=Ready', 'mrc/events', 'mrt/orders', '--timeout=120s'])
  await until('no partition is troubled', 60_000, async () =>
    (await cluster.millrace(['partition', 'list', '--troubled', '--internal', '--json'])).stdout === '')

  const read = await cluster.millrace(['consume', 'orders', '-o', 'start', '-e'])
  expect(read.code, read.stderr).toBe(0)
  const found = read.stdout.split('\n').filter(line => line !== '')
  expect(found.slice(0, records)).toEqual(lines.map(line => line.trimEnd()))
  expect(found.slice(records).filter(line => !line.startsWith('meanwhile'))).toEqual([])
  // The group goes on where it was.
  const rest = await cluster.millrace(['consume', 'orders', '-g', 'audit', '-e'])
  expect(rest.stdout.split('\n')[0]).toBe('before 1000')
  const more = await cluster.millrace(['produce', 'orders', '-p', '0'], { input: 'after\n' })
  expect(more.code, more.stderr).toBe(0)
}, 240_000)
