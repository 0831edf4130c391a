// spec.listeners as a broker gets them: where it listens for each, and what it tells clients. Pure.
import { bracketed } from '../wire/address.ts'
import { WireError } from '../wire/errors.ts'
import { listenersMax } from './limits.ts'

export interface ListenerConfig {
  /** `external`: the name of the listener, and of the pod's port. */
  readonly name: string
  /** host:port that is listened at. */
  readonly listen: string
  /** host:port that clients dial; empty while it is not known, as that of a load balancer that is being made. */
  readonly address: string
}

interface Said { readonly name?: unknown, readonly port?: unknown, readonly addresses?: unknown }

/**
 * @param said from the ConfigMap: `[{name, port, addresses: {"0": "{node}:31234"}}]`, by ordinal of the pod
 * @throws WireError INVALID_REQUEST
 */
export function parseListeners (said: unknown, ordinal: number,
  env: Readonly<Record<string, string | undefined>>): ListenerConfig[] {
  if (said === undefined) return []
  if (!Array.isArray(said) || said.length > listenersMax) {
    throw invalid(`listeners in MILLRACE_CONFIG must be a list of at most ${listenersMax}`)
  }
  return said.map(({ name, port, addresses }: Said) => {
    if (typeof name !== 'string' || !/^[a-z][a-z0-9-]{0,14}$/.test(name)) throw invalid('a listener has a name')
    if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65_535) {
      throw invalid(`the listener ${name} has a port from 1 to 65535`)
    }
    const variable = name.toUpperCase().replaceAll('-', '_')
    const known = (addresses as Record<string, unknown> | undefined)?.[String(ordinal)]
    return {
      name,
      listen: env[`MILLRACE_LISTEN_${variable}`] ?? `[::]:${port as number}`,
      address: env[`MILLRACE_ADVERTISE_${variable}`] ?? (typeof known === 'string' ? placed(known, env) : '')
    }
  })
}

/** `{pod}` is the pod's address, `{node}` that of the node it runs on: nobody but the pod knows them in time. */
function placed (address: string, env: Readonly<Record<string, string | undefined>>): string {
  const places = { '{pod}': env.MILLRACE_POD_IP ?? '', '{node}': env.MILLRACE_NODE_IP ?? '' }
  let result = address
  for (const [word, place] of Object.entries(places)) {
    if (!result.includes(word)) continue
    if (place === '') return ''
    result = result.replaceAll(word, bracketed(place))
  }
  return result
}

function invalid (message: string): WireError {
  return new WireError('INVALID_REQUEST', message)
}
