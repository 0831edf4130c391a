// What people are told of moves and drains. Pure.
import type { Happening } from '../kube/events.ts'
import type { ClusterStatus } from '../schema/cluster.ts'
import type { ClusterContext } from './cluster-context.ts'

type Draining = NonNullable<ClusterStatus['draining']>

/** `down to 3 brokers: broker 3 still holds 12 replicas` */
export function drainingMessage ({ cluster }: Pick<ClusterContext, 'cluster'>, draining: Draining): string {
  const { brokers } = cluster.spec
  const [next] = draining
  const { broker, replicasLeft, dataLeft, waitingFor } = next!
  const state = replicasLeft > 0
    ? `still holds ${plural(replicasLeft, 'replica')}`
    : dataLeft > 0 ? `deletes the data of ${plural(dataLeft, 'replica')}` : 'holds nothing any more'
  const waits = waitingFor === undefined ? '' : `; waits for ${waitingFor}`
  const more = draining.length > 1 ? `; ${draining.length - 1} more to go` : ''
  return `down to ${plural(brokers, 'broker')}: broker ${broker} ${state}${waits}${more}`
}

/** `5 partitions move to other brokers, 1.2 GiB to go` */
export function movingMessage ({ views, key }: Pick<ClusterContext, 'views' | 'key'>,
  { underWay, bytesLeft }: { readonly underWay: number, readonly bytesLeft?: number }): string {
  const waiting = views.get(key)?.moves.find(({ waitingFor }) => waitingFor !== '')
  const rest = bytesLeft === undefined ? '' : `, ${readable(bytesLeft)} to go`
  const why = waiting === undefined
    ? ''
    : `; ${waiting.topic}/${waiting.partition} waits: ${waiting.waitingFor}`
  return `${plural(underWay, 'partition')} ${underWay === 1 ? 'moves' : 'move'} to other brokers${rest}${why}`
}

/** That fewer brokers are on their way, or that this is over. */
export function scaleNews ({ cluster }: Pick<ClusterContext, 'cluster'>, previous: ClusterStatus | undefined,
  status: ClusterStatus): Happening[] {
  const { brokers } = cluster.spec
  const told = (reason: string, note: string): Happening[] => [{ type: 'Normal', reason, action: 'Scale', note }]
  const [before, now] = [previous?.draining ?? [], status.draining ?? []]
  if (before.length === 0 && now.length > 0) {
    return told('ScalingDown', `down to ${plural(brokers, 'broker')}: ${brokerList(now)} ${now.length === 1
      ? 'hands its replicas over and goes'
      : 'hand their replicas over and go, one after the other'}`)
  }
  if (before.length > 0 && now.length === 0) {
    return (status.brokers?.total ?? 0) > (before.at(-1)?.broker ?? 0)
      ? told('ScaleDownCancelled',
        `spec.brokers is ${brokers}: ${brokerList(before)} ${before.length === 1 ? 'stays' : 'stay'}`)
      : told('ScaledDown', `${plural(brokers, 'broker')} ${brokers === 1 ? 'is' : 'are'} left`)
  }
  return []
}

function brokerList (draining: Draining): string {
  return `${draining.length === 1 ? 'broker' : 'brokers'} ${draining.map(({ broker }) => broker).join(', ')}`
}

function plural (value: number, word: string): string {
  return `${value} ${word}${value === 1 ? '' : 's'}`
}

function readable (bytes: number): string {
  for (const [unit, size] of [['TiB', 2 ** 40], ['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`
  }
  return `${bytes} B`
}
