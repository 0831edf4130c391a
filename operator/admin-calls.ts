// Calls of the admin service by @grpc/grpc-js and @grpc/proto-loader. Brokers and clients speak gRPC by an adapter
// of our own for the sake of speed (docs/decisions/0008); a few calls a second need none, so here the reference
// implementation does it, and keeps the brokers' side honest in every cluster.
import { fileURLToPath } from 'node:url'
import type { Client, Metadata, ServiceClientConstructor, ServiceError } from '@grpc/grpc-js'
import { ErrorDetail } from '../wire/adapters/descriptors.ts'
import { clusterName } from '../wire/adapters/grpc-options.ts'
import { WireError, type ErrorCode } from '../wire/errors.ts'
import type { Net, RequestOf, ResponseOf, UnaryMethod } from '../wire/ports.ts'
import type { Sent } from '../wire/messages.ts'

/** What the operator needs of the network. */
export interface Calls extends Pick<Net, 'forget'> {
  /** As Net's; `cluster`, a uid or namespace/name, is the one that is meant: another's broker answers WRONG_BROKER. */
  call<M extends UnaryMethod> (address: string, method: M, request: Sent<RequestOf<M>>, timeoutMs: number,
    cluster: string): Promise<ResponseOf<M>>
}

const protoFolder = fileURLToPath(new URL('../proto', import.meta.url))
/** Trailer of brokers that carries the ErrorDetail (wire/adapters/grpc-errors.ts). */
const detailName = 'millrace-error-bin'
/** A description of thousands of topics; beyond it the call fails rather than the process. */
const answerBytesMax = 32 * 1024 * 1024
/** The address of a pod that is gone swallows what is sent there; brokers and clients wait as long for a connection. */
const connectTimeoutMs = 2_000

interface Library {
  readonly AdminService: ServiceClientConstructor
  readonly credentials: ConstructorParameters<ServiceClientConstructor>[1]
  readonly Metadata: typeof Metadata
}

/** Loaded at the first call: 100 ms that the start of the operator need not wait for. */
async function load (): Promise<Library> {
  const [grpc, loader] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')])
  const definition = await loader.load('millrace/v1/admin.proto', {
    includeDirs: [protoFolder], longs: Number, enums: String, defaults: true, oneofs: true
  })
  return {
    AdminService: definition['millrace.v1.AdminService'] === undefined
      ? fail()
      : grpc.makeClientConstructor(definition['millrace.v1.AdminService'] as never, 'AdminService'),
    credentials: grpc.credentials.createInsecure(),
    Metadata: grpc.Metadata
  }
}

function fail (): never {
  throw new Error(`${protoFolder} does not define millrace.v1.AdminService`)
}

type UnaryCall = (request: object, metadata: Metadata, options: { deadline: number },
  callback: (error: ServiceError | null, response: object) => void) => { cancel (): void }

export class AdminCalls implements Calls {
  readonly #clients = new Map<string, Client>()
  readonly #now: () => number
  #library: Promise<Library> | undefined

  /** @param now ms since 1970, for deadlines */
  constructor (now: () => number) {
    this.#now = now
  }

  async call<M extends UnaryMethod> (address: string, method: M, request: Sent<RequestOf<M>>,
    timeoutMs: number, cluster: string): Promise<ResponseOf<M>> {
    this.#library ??= load()
    const library = await this.#library
    const client = this.#client(library, address)
    const metadata = new library.Metadata()
    metadata.set(clusterName, cluster)
    const unary = (client as unknown as Record<string, UnaryCall | undefined>)[method]
    if (unary === undefined) throw new WireError('UNIMPLEMENTED', `the admin service has no ${method}`)
    return await new Promise<ResponseOf<M>>((resolve, reject) => {
      let isUnreached = false
      const call = unary.call(client, request, metadata, { deadline: this.#now() + timeoutMs }, (error, response) => {
        if (error === null) {
          resolve(withoutNull(response) as ResponseOf<M>)
          return
        }
        const failure = isUnreached
          ? new WireError('UNAVAILABLE', `${address}: no connection within ${connectTimeoutMs} ms`)
          : toWireError(error, address)
        // A client that waits out its backoff would not notice that the broker is back.
        if (failure.code === 'CONNECTION_REFUSED' || failure.code === 'UNAVAILABLE') this.forget(address)
        reject(failure)
      })
      client.waitForReady(this.#now() + connectTimeoutMs, error => {
        if (error === undefined) return
        isUnreached = true
        call.cancel()
      })
    })
  }

  forget (address: string): void {
    this.#clients.get(address)?.close()
    this.#clients.delete(address)
  }

  close (): void {
    for (const address of [...this.#clients.keys()]) this.forget(address)
  }

  #client ({ AdminService, credentials }: Library, address: string): Client {
    let client = this.#clients.get(address)
    if (client === undefined) {
      client = new AdminService(address, credentials, {
        'grpc.use_local_subchannel_pool': 1,
        'grpc.max_receive_message_length': answerBytesMax,
        'grpc.keepalive_time_ms': 10_000,
        'grpc.keepalive_timeout_ms': 2_000
      })
      this.#clients.set(address, client)
    }
    return client
  }
}

// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
const codes: Readonly<Record<number, ErrorCode>> = {
  1: 'CANCELLED', 3: 'INVALID_REQUEST', 4: 'TIMED_OUT', 8: 'BROKER_BUSY', 12: 'UNIMPLEMENTED', 14: 'UNAVAILABLE'
}

function toWireError (error: ServiceError, address: string): WireError {
  const [detail] = error.metadata.get(detailName)
  if (detail instanceof Buffer) return WireError.fromDetail(ErrorDetail.decode(detail))
  const code = /ECONNREFUSED/.test(error.message) ? 'CONNECTION_REFUSED' : codes[error.code] ?? 'INTERNAL'
  return new WireError(code, `${address}: ${error.details}`)
}

/** proto-loader says null where wire/messages.ts says that a field is absent. */
function withoutNull (value: object): object {
  for (const [name, field] of Object.entries(value)) {
    if (field === null) delete (value as Record<string, unknown>)[name]
    else if (typeof field === 'object' && !(field instanceof Uint8Array)) withoutNull(field as object)
  }
  return value
}
