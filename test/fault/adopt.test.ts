// docs/operations/adopt.md on real processes: a Cluster that was deleted comes back with its volumes and its records;
// volumes of another cluster are refused until a person says so.
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LocalCluster, until } from './harness.ts'

const brokers = [0, 1, 2]
const lines = Array.from({ length: 1_000 }, (_, index) => `record ${index}`)
let cluster: LocalCluster

beforeAll(async () => { cluster = await LocalCluster.start() })
afterAll(async () => {
  await cluster.stop('SIGKILL')
  cluster.remove()
})

async function kubectl (args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args, { input })
  expect(code, stderr).toBe(0)
  return stdout
}

const uid = (): Promise<string> => kubectl(['get', 'mrc/events', '-o', 'jsonpath={.metadata.uid}'])

async function deleteCluster (): Promise<void> {
  await kubectl(['delete', 'mrc/events'])
  await until('the pods are gone', 30_000, async () => await kubectl(['get', 'pods', '-o', 'name']) === '')
}

/** The operator's and the brokers' word for it: everything serves, and holds what was acknowledged. */
async function expectEverything (): Promise<void> {
  await kubectl(['wait', '--for=condition=Ready', 'mrc/events', 'mrt/orders', '--timeout=120s'])
  await until('no partition is troubled', 60_000, async () =>
    (await cluster.millrace(['partition', 'list', '--troubled', '--internal', '--json'])).stdout === '')
  const read = await cluster.millrace(['consume', 'orders', '-o', 'start', '-e'])
  expect(read.code, read.stderr).toBe(0)
  expect(read.stdout.split('\n').filter(line => line !== '')).toEqual(lines)
}

it('a Cluster made again serves what the one before it acknowledged', async () => {
  const produced = await cluster.millrace(['produce', 'orders', '-p', '0'], { input: lines.join('\n') })
  expect(produced.code, produced.stderr).toBe(0)
  const before = await uid()
  await deleteCluster()
  await kubectl(['apply', '-f', 'examples/cluster.yaml'])
  await expectEverything()
  expect(await uid()).not.toBe(before)
  expect(await kubectl(['get', 'events.events.k8s.io', '-o', 'jsonpath={.items[*].note}']))
    .toContain(`3 volumes of cluster ${before} are taken over`)
}, 240_000)

it('copies of volumes, with other tables or none, wait for a person', async () => {
  const uids = await kubectl(['get', 'pvc', '-o',
    'jsonpath={.items[*].metadata.annotations.millrace\\.dev/cluster-uid}'])
  const [owner] = uids.split(' ')
  await deleteCluster()
  await kubectl(['delete', 'partitiontables', '--all'])
  const volume = (broker: number): string => join(cluster.folder, `volumes/data-events-${broker}`)
  for (const broker of brokers) cpSync(volume(broker), `${volume(broker)}.kept`, { recursive: true })
  await kubectl(['delete', 'pvc', '--all'])
  for (const broker of brokers) {
    await kubectl(['apply', '-f', '-'], JSON.stringify({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: `data-events-${broker}`, annotations: { 'millrace.dev/cluster-uid': owner } },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
    }))
  }
  await kubectl(['wait', '--for=jsonpath={.status.phase}=Bound', 'pvc', '--all', '--timeout=30s'])
  for (const broker of brokers) cpSync(`${volume(broker)}.kept`, volume(broker), { recursive: true })
  await kubectl(['apply', '-f', 'examples/cluster.yaml'])
  await kubectl(['wait', 'mrc/events', '--timeout=30s',
    '--for=jsonpath={.status.conditions[?(@.type=="Degraded")].reason}=ForeignVolumes'])
  expect(await kubectl(['get', 'pods', '-o', 'name'])).toBe('')
  await kubectl(['annotate', 'mrc/events', `millrace.dev/adopt-volumes=${owner}`])
  await expectEverything()
}, 240_000)
