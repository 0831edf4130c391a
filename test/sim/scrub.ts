// After healing: everything on a disk that was harmed is read once, as a person would before trusting it
// again. What is found damaged is a dead member and a new learner after a restart.
import { WireError } from '../../wire/errors.ts'
import { batches } from '../../wire/record-batch.ts'
import type { ReplicaLog } from '../../broker/log/contract.ts'
import type { SimBroker } from './broker.ts'
import type { SimCluster } from './cluster.ts'
import type { Coverage } from './coverage.ts'

const readyMsMax = 8_000
const readMsMax = 10_000
const roundsMax = 5

export async function scrub (cluster: SimCluster, coverage: Coverage): Promise<void> {
  for (const broker of cluster.brokers) {
    if (!broker.diskMayFail) continue
    await becomeReady(cluster, broker)
    if (broker.rolledBack !== '') {
      if (broker.node?.parts?.volume.meta.volumeId === broker.rolledBack) {
        broker.end('kill')
        broker.wipe()
        broker.start()
        continue
      }
      coverage.reached('a rolled-back volume became a new one')
    }
    // Each opening cuts off what was found, and reads anew what follows.
    for (let round = 0; round < roundsMax && await findsDamage(cluster, broker); round++) {
      coverage.reached('damage was found on a disk')
      broker.end('kill')
      broker.start()
      await becomeReady(cluster, broker)
    }
  }
}

async function becomeReady ({ scheduler }: SimCluster, broker: SimBroker): Promise<void> {
  await scheduler.run(scheduler.now + readyMsMax, () => broker.node?.notReady() === '')
}

async function findsDamage ({ scheduler }: SimCluster, { node, process }: SimBroker): Promise<boolean> {
  const logs = [...node?.parts?.volume.replicas() ?? []]
  if (process === undefined || logs.length === 0) return false
  let done = false
  process.schedule(0, 'scrub', () => { void Promise.all(logs.map(readAll)).then(() => { done = true }) })
  await scheduler.run(scheduler.now + readMsMax, () => done)
  return logs.some((log) => log.damaged !== '')
}

async function readAll (log: ReplicaLog): Promise<void> {
  const end = log.logEnd
  try {
    for (let offset = log.logStart; offset < end;) {
      const bytes = await log.read(offset, end, 256 * 1024)
      if (bytes.length === 0) return
      for (const { lastOffset } of batches(bytes)) offset = lastOffset + 1
    }
  } catch (error) {
    // Damaged, or retention and truncation went on.
    if (!(error instanceof WireError)) throw error
  }
}
