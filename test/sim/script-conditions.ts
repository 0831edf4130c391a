// What a script may wait for.
import type { PartitionRow } from '../../broker/row.ts'
import type { Simulation } from './simulation.ts'

export function rowOf (simulation: Simulation, key: string): PartitionRow | undefined {
  const id = simulation.topics.partitions().find((each) => each.key === key)?.id ?? ''
  return simulation.observer.rows.latest.get(id)
}

function moves (row: PartitionRow | undefined): boolean {
  return row !== undefined && row.adding.length + row.removing.length > 0
}

function list (ids: readonly number[]): string { return ids.toSorted((a, b) => a - b).join() }

export function holds (simulation: Simulation, words: readonly string[]): boolean {
  const { cluster, topics, operator } = simulation
  const [subject = '', verb = '', ...rest] = words
  const last = rest.at(-1) ?? ''
  switch (`${verb} ${rest[0] ?? ''}`.trim()) {
    case `on ${last}`: {
      const row = rowOf(simulation, subject)
      return row !== undefined && !moves(row) && list(row.replicas) === list(last.split(',').map(Number)) &&
        row.inSync.length === row.replicas.length &&
        row.inSync.every(({ brokerId, volumeId }) => volumeIdOf(simulation, brokerId) === volumeId)
    }
    case 'moves': return moves(rowOf(simulation, subject))
    case 'led by': return rowOf(simulation, subject)?.leader === Number(last)
    case 'is ready': return cluster.brokers[Number(subject)]?.node?.notReady() === ''
    case 'is new': return isNew(simulation, Number(subject))
    case 'there': return topics.all.every(({ phase }) => phase === 'there')
  }
  if (subject === 'brokers') return cluster.brokers.length === Number(verb) && operator.idle
  throw new Error(`not a condition: '${words.join(' ')}'`)
}

/** Undefined while it does not run. At the floor a set keeps members whose volumes are gone. */
function volumeIdOf ({ cluster }: Simulation, brokerId: number): string | undefined {
  return cluster.brokers[brokerId]?.node?.parts?.volume.meta.volumeId
}

function isNew (simulation: Simulation, brokerId: number): boolean {
  const volumeId = volumeIdOf(simulation, brokerId)
  return volumeId !== undefined && volumeId !== simulation.cluster.brokers[brokerId]?.rolledBack
}
