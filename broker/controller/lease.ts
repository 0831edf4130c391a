// The Lease `<cluster>-controller`: a signpost to the controller. It is never renewed and never expires;
// what fences a controller is the stamp in the tables.
import type { KubeKind, KubeObject } from '../io/ports.ts'
import { KubeError } from '../io/ports.ts'
import { nobody } from '../row.ts'
import type { Api } from './api.ts'
import { OfficeLost } from './api.ts'
import { microTime } from './micro-time.ts'

const kind: KubeKind = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }
const epochAnnotation = 'millrace.dev/controller-epoch'
const addressAnnotation = 'millrace.dev/controller-address'

export interface Lease {
  /** Broker id, -1 when nobody holds the office. */
  readonly holder: number
  readonly epoch: number
  /** Peer address of the holder, empty for none. */
  readonly address: string
  /** As read; undefined while there is none. */
  readonly object: KubeObject | undefined
}

export function leaseName (cluster: string): string {
  return `${cluster}-controller`
}

/** Rejects with KubeError. */
export async function readLease (api: Api, cluster: string): Promise<Lease> {
  const object = await api.get(kind, leaseName(cluster))
  return object === undefined ? { holder: nobody, epoch: 0, address: '', object } : decode(object)
}

/** What a person may have written into it by hand counts as no holder and epoch 0. */
function decode (object: KubeObject): Lease {
  const spec = object['spec'] as { holderIdentity?: unknown } | undefined
  const identity = spec?.holderIdentity
  const annotations = object.metadata.annotations ?? {}
  const epoch = Number(annotations[epochAnnotation] ?? 0)
  return {
    holder: typeof identity === 'string' && /^\d{1,9}$/.test(identity) ? Number(identity) : nobody,
    epoch: Number.isSafeInteger(epoch) && epoch >= 0 ? epoch : 0,
    address: annotations[addressAnnotation] ?? '',
    object
  }
}

export interface Claim {
  /** -1 resigns. */
  readonly holder: number
  readonly epoch: number
  readonly address: string
  readonly wallTimeMs: number
}

/**
 * Compare-and-swap of `lease` to `claim`, tried until its outcome is known: true when the Lease is as
 * claimed, false when somebody else has changed it first. Throws OfficeLost once `wanted` is false.
 */
export async function claimLease (
  api: Api, cluster: string, lease: Lease, claim: Claim, wanted: () => boolean
): Promise<boolean> {
  const backoff = api.backoff()
  let current = lease
  for (;;) {
    if (!wanted()) throw new OfficeLost('stopped')
    try {
      const object = encode(cluster, current.object, claim)
      await (current.object === undefined ? api.create(kind, object) : api.replace(kind, object))
      return true
    } catch (error) {
      await backoff.after(error)
      const raced = error instanceof KubeError && (error.kind === 'conflict' || error.kind === 'exists')
      const now = await api.answered(wanted, () => readLease(api, cluster))
      // A lost reply: the claim may have landed all the same.
      if (now.holder === claim.holder && now.epoch === claim.epoch && now.address === claim.address) return true
      const moved = now.object?.metadata.resourceVersion !== current.object?.metadata.resourceVersion
      if (moved && (raced || now.epoch !== lease.epoch || now.holder !== lease.holder)) return false
      current = now
    }
  }
}

function encode (cluster: string, stored: KubeObject | undefined, claim: Claim): KubeObject {
  const spec = (stored?.['spec'] ?? {}) as { leaseTransitions?: number }
  const time = microTime(claim.wallTimeMs)
  return {
    apiVersion: kind.apiVersion,
    kind: 'Lease',
    metadata: {
      ...stored?.metadata,
      name: leaseName(cluster),
      labels: { ...stored?.metadata.labels, 'millrace.dev/cluster': cluster },
      annotations: {
        ...stored?.metadata.annotations,
        [epochAnnotation]: String(claim.epoch),
        [addressAnnotation]: claim.address
      }
    },
    spec: {
      ...spec,
      holderIdentity: claim.holder === nobody ? '' : String(claim.holder),
      acquireTime: time,
      renewTime: time,
      leaseTransitions: (spec.leaseTransitions ?? 0) + 1
    }
  }
}
