// The operator's settings: its environment. Pure.
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { withBrackets } from '../wire/address.ts'

export interface OperatorConfig {
  /** host:port of /metrics, /livez and /readyz. */
  readonly listenMetrics: string
  /** Namespaces that are watched; empty: all. */
  readonly namespaces: readonly string[]
  /** It may list and watch Nodes: brokers are told in which rack they are. */
  readonly readsNodes: boolean
  /** Image of the brokers whose Cluster names none. */
  readonly image: string
  /** Holder of the Lease. A pod's name: its restarted container takes the Lease back at once. */
  readonly identity: string
  readonly logLevel: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** @throws Error with one line that names the variable. */
export function parseConfig (env: Environment, version: string): OperatorConfig {
  return {
    listenMetrics: listenAddress('MILLRACE_LISTEN_METRICS', env.MILLRACE_LISTEN_METRICS ?? '[::]:9100'),
    namespaces: (env.MILLRACE_NAMESPACES ?? '').split(',').map(name => name.trim()).filter(name => name !== ''),
    readsNodes: parseBoolean('MILLRACE_READ_NODES', env.MILLRACE_READ_NODES ?? 'true'),
    image: env.MILLRACE_IMAGE ?? `millrace:${version}`,
    identity: env.MILLRACE_POD_NAME ?? `${hostname()}_${randomBytes(4).toString('hex')}`,
    logLevel: env.MILLRACE_LOG_LEVEL ?? 'warn'
  }
}

function listenAddress (name: string, value: string): string {
  try {
    return withBrackets(value)
  } catch {
    throw new Error(`${name} must be host:port, not '${value}'`)
  }
}

function parseBoolean (name: string, value: string): boolean {
  if (value !== 'true' && value !== 'false') throw new Error(`${name} must be true or false, not '${value}'`)
  return value === 'true'
}
