// `kubectl logs`: whoever runs the pods provides the text.
import type { ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { LogOptions, LogProvider } from '../contract.ts'
import type { KubeObject } from '../object.ts'
import { isObject } from '../object.ts'
import { ApiError, badRequest } from '../status.ts'
import { toApiError } from './respond.ts'
import type { KubeRequest } from './request.ts'
import { integerParameter, isTrue } from './request.ts'

function containerNames (pod: KubeObject): string[] {
  const spec = isObject(pod.spec) ? pod.spec : {}
  const containers = Array.isArray(spec.containers) ? spec.containers : []
  return containers.map(container => isObject(container) ? String(container.name) : '')
}

function optionsOf ({ query }: KubeRequest, pod: KubeObject, signal: AbortSignal): LogOptions {
  const names = containerNames(pod)
  const { name } = pod.metadata
  const container = query.get('container') || undefined
  if (container !== undefined && !names.includes(container)) {
    throw badRequest(`container ${container} is not valid for pod ${name}`)
  }
  if (container === undefined && names.length > 1) {
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`)
  }
  const numbers = { tailLines: 'tailLines', sinceSeconds: 'sinceSeconds', limitBytes: 'limitBytes' } as const
  const given: { tailLines?: number, sinceSeconds?: number, limitBytes?: number } = {}
  for (const key of Object.values(numbers)) {
    const value = integerParameter(query, key)
    if (value === undefined) continue
    if (value < 0) throw badRequest(`${key} must be greater than or equal to 0`)
    given[key] = value
  }
  return {
    ...given,
    ...(container ?? names[0]) !== undefined && { container: container ?? names[0] ?? '' },
    follow: isTrue(query.get('follow')),
    previous: isTrue(query.get('previous')),
    timestamps: isTrue(query.get('timestamps')),
    signal
  }
}

/** Streams the log. Throws an ApiError before the first byte; a later failure breaks the stream. */
export async function serveLogs (request: KubeRequest, response: ServerResponse, pod: KubeObject,
  provider: LogProvider | undefined): Promise<void> {
  if (provider === undefined) {
    throw new ApiError(503, 'ServiceUnavailable', 'nobody runs pods here, so there are no logs')
  }
  const gone = new AbortController()
  response.on('close', () => { gone.abort() })
  const iterator = provider(pod, optionsOf(request, pod, gone.signal))[Symbol.asyncIterator]()
  let next = await iterator.next()
  response.statusCode = 200
  response.setHeader('content-type', 'text/plain')
  response.flushHeaders()
  try {
    while (next.done !== true && !response.destroyed) {
      if (!response.write(next.value)) await once(response, 'drain', { signal: gone.signal })
      next = await iterator.next()
    }
    response.end()
  } catch (error) {
    if (gone.signal.aborted) return
    response.destroy(toApiError(error))
  } finally {
    await iterator.return?.()
  }
}
