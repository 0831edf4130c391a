// spec.maintenance: brokers that may be away. The controller moves their leaderships and gives none back; here they
// are not missed, not restarted and not replaced.
import { WireError } from '../../wire/errors.ts'
import { ordinalOf } from './caches.ts'
import type { ClusterContext } from './cluster-context.ts'
import { isUnreachable } from './controller-client.ts'
import type { KubeObject } from '../kube/types.ts'
import type { Cluster } from '../schema/resources.ts'

const comeBackMs = 5_000
/** That leaderships leave changes nothing else that could be seen. What nobody else can lead is asked for seldom. */
const leavingMs = 500
const leavingMsMax = 60_000
const stayingMs = 30_000

export function isResting ({ cluster }: { readonly cluster: Cluster }, pod: KubeObject): boolean {
  return cluster.spec.maintenance?.includes(ordinalOf(pod)) === true
}

export async function maintainBrokers (context: ClusterContext): Promise<void> {
  const { cluster, controllers, views, key } = context
  const { maintenance: brokerIds = [] } = cluster.spec
  const told = views.get(key)?.brokers.some(({ maintenance }) => maintenance) === true ||
    (cluster.status?.maintenance ?? []).length > 0
  if (brokerIds.length === 0 && !told) return
  try {
    const { brokers } = await controllers.call(key, 'MaintainBrokers', { brokerIds })
    context.maintenance = brokers.map(({ brokerId, leading }) => ({ broker: brokerId, leading }))
      .sort((a, b) => a.broker - b.broker)
    followLeaving(context)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    context.maintenance = cluster.status?.maintenance ?? []
    context.comeBackMs = comeBackMs
    const { message } = error
    if (!isUnreachable(error)) context.notes.failed = `maintainBrokers: ${message}`
  }
}

/** Looks again while they lead something. */
function followLeaving (context: ClusterContext): void {
  const { maintenance, deadlines, key } = context
  const what = `leaving/${key}`
  if (maintenance.every(({ leading }) => leading === 0)) deadlines.forget(what)
  else context.comeBackMs = deadlines.waitedMs(what) < leavingMsMax ? leavingMs : stayingMs
}

/** `broker 1 is in maintenance and may be stopped; broker 2 still leads 4 partitions` */
export function maintenanceMessage ({ maintenance }: Pick<ClusterContext, 'maintenance'>): string | undefined {
  if (maintenance.length === 0) return undefined
  return maintenance.map(({ broker, leading }) => `broker ${broker} is in maintenance and ${leading === 0
    ? 'leads nothing: it may be stopped'
    : `still leads ${leading} ${leading === 1 ? 'partition' : 'partitions'}`}`).join('; ')
}
