// A broker's settings: the environment that the operator's pod template gives (operator/objects), and the
// JSON file of the ConfigMap. Pure: main.ts hands in the environment and the file's text.
import { withBrackets } from '../wire/address.ts'
import { WireError } from '../wire/errors.ts'
import { groupExpiryMsDefault, groupExpiryMsMin, learnerBytesPerSecondDefault } from './limits.ts'
import { parseListeners, type ListenerConfig } from './listeners.ts'
import { rackOf } from './racks.ts'

export interface BrokerConfig {
  /** Name of the Cluster object. */
  readonly cluster: string
  /** uid of the Cluster object: a volume of another cluster is refused. */
  readonly clusterUid: string
  readonly namespace: string
  readonly podName: string
  /** What a fresh volume takes; a volume that was used keeps the id in its meta.json. */
  readonly brokerId: number
  /** The volume's folder. */
  readonly dataFolder: string
  /** host:port; port 0 for any free one. */
  readonly listenClient: string
  readonly listenPeer: string
  readonly listenMetrics: string
  /** host:port that others dial; empty: as listened to. */
  readonly advertiseClient: string
  readonly advertisePeer: string
  /** What its node is in, as spec.topologyKey names it; empty: not known. */
  readonly rack: string
  /** How many brokers the Cluster asks for; internal topics wait a moment for them at the first start. */
  readonly brokersExpected: number
  /** What is sent to replicas that are not in sync, all together; 0: no limit. */
  readonly learnerBytesPerSecond: number
  /** A group without members whose last commit is older is forgotten; 0: never. */
  readonly groupExpiryMs: number
  readonly logLevel: string
  /** Of spec.listeners, beside the client port. */
  readonly listeners: readonly ListenerConfig[]
}

export type Environment = Readonly<Record<string, string | undefined>>

function invalid (message: string): WireError {
  return new WireError('INVALID_REQUEST', message)
}

function required (env: Environment, name: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw invalid(`the environment lacks ${name}`)
  return value
}

function address (env: Environment, name: string, fallback: string): string {
  const value = env[name] === undefined || env[name] === '' ? fallback : env[name]
  if (value === '') return value
  try {
    return withBrackets(value)
  } catch {
    throw invalid(`${name} must be host:port, not '${value}'`)
  }
}

/** The ordinal of a StatefulSet's pod: only the proposal for a volume that was never used. */
function ordinal (podName: string): number {
  const digits = /-(\d{1,6})$/.exec(podName)?.[1]
  if (digits === undefined) throw invalid(`MILLRACE_POD_NAME must end in -<ordinal>, not '${podName}'`)
  return Number(digits)
}

interface ConfigFile {
  brokers?: unknown
  learnerBytesPerSecond?: unknown
  groupExpiryMs?: unknown
  logLevel?: unknown
  listeners?: unknown
  racks?: unknown
}

const logLevels: readonly unknown[] = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

function parseFile (text: string): ConfigFile {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw invalid(`MILLRACE_CONFIG is not JSON: ${(error as Error).message}`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid('MILLRACE_CONFIG must hold a JSON object')
  }
  return parsed
}

/**
 * @param file text of the file that MILLRACE_CONFIG names, '{}' when it names none
 * @throws WireError INVALID_REQUEST that names the variable
 */
export function parseConfig (env: Environment, file: string): BrokerConfig {
  const podName = required(env, 'MILLRACE_POD_NAME')
  const settings = parseFile(file)
  const brokers = settings.brokers ?? 1
  const learnerBytesPerSecond = settings.learnerBytesPerSecond ?? learnerBytesPerSecondDefault
  if (typeof brokers !== 'number' || !Number.isInteger(brokers) || brokers < 1) {
    throw invalid('brokers in MILLRACE_CONFIG must be a whole number from 1')
  }
  if (!Number.isSafeInteger(learnerBytesPerSecond) || (learnerBytesPerSecond as number) < 0) {
    throw invalid('learnerBytesPerSecond in MILLRACE_CONFIG must be a whole number from 0')
  }
  const groupExpiryMs = settings.groupExpiryMs ?? groupExpiryMsDefault
  if (groupExpiryMs !== 0 && (!Number.isSafeInteger(groupExpiryMs) || (groupExpiryMs as number) < groupExpiryMsMin)) {
    throw invalid(`groupExpiryMs in MILLRACE_CONFIG must be a whole number from ${groupExpiryMsMin}, or 0`)
  }
  const logLevel = settings.logLevel ?? env.MILLRACE_LOG_LEVEL ?? 'info'
  if (!logLevels.includes(logLevel)) throw invalid(`logLevel in MILLRACE_CONFIG must be one of ${logLevels.join(', ')}`)
  return {
    cluster: required(env, 'MILLRACE_CLUSTER'),
    clusterUid: required(env, 'MILLRACE_CLUSTER_UID'),
    namespace: required(env, 'MILLRACE_NAMESPACE'),
    podName,
    brokerId: ordinal(podName),
    dataFolder: required(env, 'MILLRACE_DATA'),
    listenClient: address(env, 'MILLRACE_LISTEN_CLIENT', '[::]:9090'),
    listenPeer: address(env, 'MILLRACE_LISTEN_PEER', '[::]:9091'),
    listenMetrics: address(env, 'MILLRACE_LISTEN_METRICS', '[::]:9100'),
    advertiseClient: address(env, 'MILLRACE_ADVERTISE_CLIENT', ''),
    advertisePeer: address(env, 'MILLRACE_ADVERTISE_PEER', ''),
    rack: rackOf(settings.racks, env),
    brokersExpected: brokers,
    learnerBytesPerSecond: learnerBytesPerSecond as number,
    groupExpiryMs: groupExpiryMs as number,
    logLevel: logLevel as string,
    listeners: parseListeners(settings.listeners, ordinal(podName), env)
  }
}
