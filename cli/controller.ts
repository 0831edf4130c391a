// Calls of the admin service: the controller answers them, on the peer port of the broker that it is in. The
// Cluster's Lease says where that is. Inside Kubernetes only brokers and the operator may reach that port, so
// from elsewhere it is forwarded, and named with --controller.
import { GrpcNet } from '../wire/adapters/grpc-net.ts'
import { WireError } from '../wire/errors.ts'
import type { ErrorDetail, Sent } from '../wire/messages.ts'
import type { RequestOf, ResponseOf } from '../wire/ports.ts'
import { kinds } from '../operator/kube/types.ts'
import { controllerAddressAnnotation, names, ports } from '../operator/objects/names.ts'
import { isUnreachable } from '../operator/reconcile/controller-client.ts'
import type { AdminMethod } from '../operator/reconcile/controller-client.ts'
import { CliError, exitCodes } from './exit.ts'
import { findCluster, pause, withKube } from './kube.ts'
import type { KubeOptions } from './kube.ts'
import { WaitingNotes } from './notes.ts'

export interface ControllerOptions extends KubeOptions {
  readonly cluster?: string
  /** host:port of the controller; without it the Lease is asked. */
  readonly controller?: string
}

/** Where the controller is, and how a person reaches it from outside. */
interface Place {
  readonly address: string
  /** Undefined when the person said where it is. */
  readonly pod?: string
  readonly namespace?: string
}

export interface CallOptions {
  /** False: a second try of a request that may have been carried out would be another one. */
  readonly again?: boolean
}

export interface Controller {
  /** @throws CliError with what the controller refused, or because it cannot be asked. */
  call<M extends AdminMethod> (method: M, request: Sent<RequestOf<M>>, options?: CallOptions): Promise<ResponseOf<M>>
}

const retryMs = 250
/** Nothing was carried out. */
const untouched: ReadonlySet<string> = new Set([
  'CONNECTION_REFUSED', 'NOT_CONTROLLER', 'WRONG_BROKER', 'CONTROLLER_UNAVAILABLE'
])
const missing: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC', 'UNKNOWN_TOPIC_ID', 'UNKNOWN_PARTITION', 'UNKNOWN_BROKER'
])

export async function withController<T> (options: ControllerOptions,
  run: (controller: Controller) => Promise<T>): Promise<T> {
  const net = new GrpcNet()
  const alive = setInterval(() => {}, 60_000)
  const deadline = performance.now() + options.timeout
  try {
    const { controller: address } = options
    if (address !== undefined) return await run(caller(net, deadline, () => Promise.resolve({ address })))
    return await withKube(options, async kube => {
      const cluster = await findCluster(kube, options.cluster)
      const { name, namespace = kube.namespace } = cluster.metadata
      net.identify(`${namespace}/${name}`)
      return await run(caller(net, deadline, async () => {
        const lease = await kube.reach(() => kube.api.get(kinds.lease, namespace, names.lease(name)))
        const { holderIdentity = '' } = lease?.['spec'] as { holderIdentity?: string } | undefined ?? {}
        const found = lease?.metadata.annotations?.[controllerAddressAnnotation] ?? ''
        return { address: found, pod: `${names.statefulSet(name)}-${holderIdentity}`, namespace }
      }))
    })
  } finally {
    clearInterval(alive)
    await net.close()
  }
}

function caller (net: GrpcNet, deadline: number, locate: () => Promise<Place>): Controller {
  const waiting = new WaitingNotes()
  return {
    call: async (method, request, { again = true } = {}) => {
      for (;;) {
        const place = await locate()
        const restMs = Math.max(retryMs, deadline - performance.now())
        try {
          if (place.address === '') throw new WireError('CONTROLLER_UNAVAILABLE')
          const response = await net.call(place.address, method, request, restMs)
          throwDetail((response as { error?: ErrorDetail | undefined }).error)
          return response
        } catch (error) {
          if (!(error instanceof WireError)) throw error
          judge(error, place, again, deadline)
          net.forget(place.address)
          waiting.waiting(`the controller (${error.message})${hint(place)}`)
        }
        await pause(retryMs)
      }
    }
  }
}

/** Returns when it is worth to try again. */
function judge (error: WireError, place: Place, again: boolean, deadline: number): void {
  if (!isUnreachable(error)) throw refusal(error)
  const { controllerAddress = '' } = error.detail
  if (error.code === 'NOT_CONTROLLER' && place.pod === undefined && controllerAddress !== '') {
    throw new CliError(`${place.address} is not the controller: that is at ${controllerAddress}`, exitCodes.unavailable)
  }
  if (!again && !untouched.has(error.code)) {
    throw new CliError(`no answer from the controller (${error.message}): it may have been done or not; ` +
      'look before you repeat it: millrace partition list', exitCodes.unavailable)
  }
  const isForeign = isNameless(error)
  if (isForeign || performance.now() + retryMs > deadline) {
    throw new CliError(`the controller cannot be asked: ${error.message}${hint(place)}`, exitCodes.unavailable)
  }
}

/** A name of Kubernetes that means nothing here: waiting does not help. */
function isNameless (error: WireError): boolean {
  return /ENOTFOUND|EAI_AGAIN/.test(error.message)
}

function hint ({ address, pod, namespace }: Place): string {
  if (pod === undefined || address === '' || /^(127\.|localhost:|\[::1\])/.test(address)) return ''
  const port = ports.peer + 10_000
  const forward = `kubectl -n ${namespace ?? 'default'} port-forward pod/${pod} ${port}:${ports.peer}`
  return `. From outside of Kubernetes forward its port: ${forward}, ` +
    `and repeat the command with --controller 127.0.0.1:${port}`
}

function refusal (error: WireError): CliError {
  // Where the message names the way out already, the table's help would only repeat it.
  const help = missing.has(error.code) || error.code === 'RECOVERY_REFUSED' ? '' : ` ${error.help}`
  const text = /[.!?]$/.test(error.message) ? error.message : `${error.message}.`
  return new CliError(`${text}${help}`.trim(), missing.has(error.code) ? exitCodes.notFound : exitCodes.failed)
}

function throwDetail (detail: ErrorDetail | undefined): void {
  if (detail !== undefined && detail.code !== '') throw WireError.fromDetail(detail)
}
