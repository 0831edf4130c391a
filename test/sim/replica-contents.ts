// Reads what every replica holds, through the replicas themselves.
import { readAll } from '../check/read-replica.ts'
import type { ReplicaContents } from '../check/replicas.ts'
import type { SimCluster } from './cluster.ts'
import { SimFailure } from './failure.ts'
import type { InvariantObserver } from './observer.ts'

const readMsMax = 30_000

/** Committed as far as the observer knows: every in-sync replica must have it, whatever it has heard. */
export async function replicaContents (cluster: SimCluster, observer: InvariantObserver): Promise<ReplicaContents[]> {
  const { scheduler } = cluster
  const reads: Promise<ReplicaContents | undefined>[] = []
  for (const broker of cluster.brokers) {
    const { node, process } = broker
    if (node?.parts === undefined || process === undefined) continue
    for (const log of node.parts.volume.replicas()) {
      const { end } = observer.partition(log.topicId, log.partition)
      const row = observer.rows.latest.get(`${log.topicId}-${log.partition}`)
      if (row?.inSync.some((member) => member.brokerId === broker.id) !== true) continue
      reads.push(new Promise((resolve, reject) => {
        process.schedule(0, 'read all', () => {
          readAll(`broker ${broker.id}`, log, end).then(resolve, (error: unknown) => {
            // Bits that flipped below what was still in memory when everything was read after healing.
            if (broker.diskMayFail && log.damaged !== '') resolve(undefined)
            else reject(error as Error)
          })
        })
      }))
    }
  }
  let contents: ReplicaContents[] | undefined
  let error: unknown
  Promise.all(reads).then((all) => { contents = all.filter((each) => each !== undefined) },
    (reason: unknown) => { error = reason })
  await scheduler.run(scheduler.now + readMsMax, () => contents !== undefined || error !== undefined)
  if (error !== undefined) throw SimFailure.from('unreadable log', 'a replica', error)
  if (contents === undefined) {
    throw new SimFailure('unreadable log', `the replicas could not be read within ${readMsMax} ms`)
  }
  return contents
}
