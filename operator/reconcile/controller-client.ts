// Calls to the controller of a cluster, wherever it is now: the cluster's Lease names it, a broker that
// is not it names the one that is.
import { WireError } from '../../wire/errors.ts'
import type { ErrorDetail, Sent } from '../../wire/messages.ts'
import type { RequestOf, ResponseOf } from '../../wire/ports.ts'
import type { Calls } from '../admin-calls.ts'
import type { KubeApi } from '../kube/api.ts'
import { kinds, splitKey } from '../kube/types.ts'
import { controllerAddressAnnotation, names } from '../objects/names.ts'

const timeoutMs = 10_000
/** Addresses tried in one call: the remembered one, the Lease's, and where those point to. */
const hopsMax = 4

export type AdminMethod = 'ApplyTopic' | 'DeleteTopic' | 'DescribeCluster' | 'MovePartitions' | 'ElectLeaders' |
  'MaintainBrokers' | 'RecoverPartition' | 'DrainBrokers' | 'PlanBrokers' | 'RemoveBroker' | 'RestoreTables'

/** The controller that was remembered is not there, or is not the controller: look again. */
const lookAgain: ReadonlySet<string> = new Set([
  'NOT_CONTROLLER', 'WRONG_BROKER', 'CONNECTION_REFUSED', 'UNAVAILABLE', 'TIMED_OUT'
])

/** The controller cannot be asked now; everybody waits for a better moment. */
export function isUnreachable (error: unknown): error is WireError {
  return error instanceof WireError && (lookAgain.has(error.code) || error.code === 'CONTROLLER_UNAVAILABLE')
}

/** The topic is gone, or another has its name. */
export function isUnknownTopic (error: unknown): error is WireError {
  return error instanceof WireError && (error.code === 'UNKNOWN_TOPIC' || error.code === 'UNKNOWN_TOPIC_ID')
}

export class ControllerClient {
  readonly #net: Calls
  readonly #api: KubeApi
  readonly #uidOf: (cluster: string) => string | undefined
  readonly #addresses = new Map<string, string>()

  /**
   * @param uidOf by which the brokers of `namespace/name` know each other; undefined while it is not known. Another
   *   Kubernetes may have a cluster of the same name, and its pods the addresses of this one's.
   */
  constructor (net: Calls, api: KubeApi, uidOf: (cluster: string) => string | undefined) {
    this.#net = net
    this.#api = api
    this.#uidOf = uidOf
  }

  /**
   * @param cluster `namespace/name`
   * @throws WireError as the controller answered; CONTROLLER_UNAVAILABLE when there is none. KubeError
   *   when the Lease cannot be read.
   */
  async call<M extends AdminMethod> (cluster: string, method: M, request: Sent<RequestOf<M>>): Promise<ResponseOf<M>> {
    let address = this.#addresses.get(cluster)
    const tried = new Set<string>()
    let last: WireError | undefined
    for (let hop = 0; hop < hopsMax; hop++) {
      if (address === undefined || address === '' || tried.has(address)) {
        address = await this.#fromLease(cluster)
        if (address === undefined || tried.has(address)) break
      }
      tried.add(address)
      try {
        const response = await this.#net.call(address, method, request, timeoutMs, this.#uidOf(cluster) ?? cluster)
        throwDetail((response as { error?: ErrorDetail | undefined }).error)
        this.#addresses.set(cluster, address)
        return response
      } catch (error) {
        if (!(error instanceof WireError) || !lookAgain.has(error.code)) throw error
        this.#addresses.delete(cluster)
        last = error
        address = error.detail.controllerAddress
      }
    }
    throw last ?? new WireError('CONTROLLER_UNAVAILABLE')
  }

  /** The cluster is gone. */
  forget (cluster: string): void {
    const address = this.#addresses.get(cluster)
    if (address !== undefined) this.#net.forget(address)
    this.#addresses.delete(cluster)
  }

  async #fromLease (cluster: string): Promise<string | undefined> {
    const { namespace, name } = splitKey(cluster)
    const lease = await this.#api.get(kinds.lease, namespace, names.lease(name))
    const address = lease?.metadata.annotations?.[controllerAddressAnnotation]
    // A controller that leaves its office leaves an empty address.
    return address === '' ? undefined : address
  }
}

function throwDetail (detail: ErrorDetail | undefined): void {
  if (detail !== undefined && detail.code !== '') throw WireError.fromDetail(detail)
}
