// Reads what every replica holds from the volumes of a cluster that has stopped, with the broker's own code.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { NodeDisk } from '../../../broker/io/adapters/node-disk.ts'
import { openVolume } from '../../../broker/log/volume.ts'
import { NodeClock } from '../../../wire/adapters/node-clock.ts'
import { NodeRng } from '../../../wire/adapters/node-rng.ts'
import type { Key } from '../../check/history.ts'
import type { ReplicaContents } from '../../check/replicas.ts'
import { readAll } from '../../check/read-replica.ts'
import type { Placed } from './tables.ts'

export interface StoppedCluster {
  /** The folder of the run. */
  readonly folder: string
  readonly clusterUid: string
  /** As it was when the cluster stopped. */
  readonly rows: readonly Placed[]
  /** Everything below was acknowledged or read: committed. */
  readonly committed: ReadonlyMap<Key, number>
}

/** Throws when a volume cannot be opened or read. */
export async function volumeContents (cluster: StoppedCluster): Promise<ReplicaContents[]> {
  const found: ReplicaContents[] = []
  const volumes = join(cluster.folder, 'volumes')
  for (const name of readdirSync(volumes)) {
    const broker = Number(/^data-.+-(\d+)$/.exec(name)?.[1] ?? NaN)
    if (!Number.isNaN(broker)) found.push(...await contentsOf(join(volumes, name), broker, cluster))
  }
  return found
}

async function contentsOf (folder: string, brokerId: number, cluster: StoppedCluster): Promise<ReplicaContents[]> {
  const mine = cluster.rows.filter(({ row }) => row.inSync.some(member => member.brokerId === brokerId))
  if (mine.length === 0) return []
  const disk = await NodeDisk.open(folder)
  const volume = await openVolume({
    disk, clock: new NodeClock(), rng: new NodeRng(), clusterUid: cluster.clusterUid, brokerId,
    onFailure: error => { throw error }
  })
  try {
    const found: ReplicaContents[] = []
    for (const { key, row: { topicId, partition } } of mine) {
      const end = cluster.committed.get(key)
      if (end === undefined) continue
      const log = volume.get(topicId, partition)
      if (log === undefined) throw new Error(`broker ${brokerId} is in sync for ${key} and has no replica of it`)
      found.push(await readAll(`broker ${brokerId}`, log, end))
    }
    return found
  } finally {
    await volume.close()
    await disk.close()
  }
}
