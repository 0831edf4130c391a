// Where partitions lie when nothing has been in the way for a while: as people wished, each broker with its share,
// nothing on brokers that are gone, led by whom they name first.

export interface PlacedPartition {
  readonly key: string
  readonly leader: number
  /** The preferred leader first. */
  readonly replicas: readonly number[]
  readonly inSync: readonly { readonly brokerId: number }[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
  readonly minInSync: number
  /** As its topic says; left out when nobody has said. */
  readonly wanted?: { readonly replicas: number, readonly minInSync: number } | undefined
  /** A person wants the leader that it has. */
  readonly isChosen?: boolean
}

export interface PlacedBroker {
  readonly brokerId: number
  /** Empty: none. */
  readonly rack: string
}

/** The first thing that is not as it shall be; empty when all is. */
export function findMisplaced (partitions: readonly PlacedPartition[], brokers: readonly PlacedBroker[]): string {
  const ids = new Set(brokers.map(({ brokerId }) => brokerId))
  for (const each of partitions) {
    const wrong = misplaced(each, ids)
    if (wrong !== '') return `${each.key} ${wrong}`
  }
  return unfair(partitions, brokers)
}

function misplaced (partition: PlacedPartition, ids: ReadonlySet<number>): string {
  const { leader, replicas, inSync, adding, removing, minInSync, wanted, isChosen = false } = partition
  if (adding.length + removing.length > 0) return `moves: ${replicas.join()}`
  const members = inSync.map(({ brokerId }) => brokerId)
  const gone = [...replicas, ...members].find(id => !ids.has(id))
  if (gone !== undefined) return `names broker ${gone}, which is gone`
  if (wanted !== undefined && replicas.length !== wanted.replicas) {
    return `has the replicas ${replicas.join()}, and is to have ${wanted.replicas}`
  }
  if (wanted !== undefined && minInSync !== wanted.minInSync) {
    return `has ${minInSync} members at least, and is to have ${wanted.minInSync}`
  }
  if (!replicas.every(id => members.includes(id))) {
    return `has the replicas ${replicas.join()}, in sync ${members.join()}`
  }
  // Nobody can be wanted.
  if (leader === replicas[0] || (isChosen && leader >= 0)) return ''
  return `is led by ${leader}, its replicas are ${replicas.join()}`
}

/**
 * The whole part of all replicas divided by all brokers; one less is left alone (docs/operations/scale.md). A replica
 * can always go to a broker of the same rack; to another only where its partition stays in as many racks, so that is
 * not asked for.
 */
function unfair (partitions: readonly PlacedPartition[], brokers: readonly PlacedBroker[]): string {
  const { share, least } = fairShare(partitions, brokers.length)
  const held = new Map(brokers.map(({ brokerId }) => [brokerId, heldBy(brokerId, partitions)]))
  const isAbove = (broker: PlacedBroker): boolean => held.get(broker.brokerId)! > share
  const short = brokers.find(broker => held.get(broker.brokerId)! < least &&
    brokers.some(other => other.rack === broker.rack && isAbove(other)))
  return short === undefined ? ''
    : `broker ${short.brokerId} has ${held.get(short.brokerId)} replicas, its share are ${share}`
}

/** least: with fewer a broker is given some. */
export function fairShare (partitions: readonly Pick<PlacedPartition, 'replicas'>[], brokers: number):
{ share: number, least: number } {
  const replicas = partitions.reduce((sum, each) => sum + each.replicas.length, 0)
  const share = Math.floor(replicas / brokers)
  return { share, least: Math.max(share - 1, Math.min(1, share)) }
}

export function heldBy (brokerId: number, partitions: readonly Pick<PlacedPartition, 'replicas'>[]): number {
  return partitions.filter(({ replicas }) => replicas.includes(brokerId)).length
}
