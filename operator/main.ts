// The operator process: composition only.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino, type Logger } from 'pino'
import { AdminCalls } from './admin-calls.ts'
import { NodeClock } from '../wire/adapters/node-clock.ts'
import { NodeRng } from '../wire/adapters/node-rng.ts'
import { parseConfig, type OperatorConfig } from './config.ts'
import { serveHealth } from './health.ts'
import { loadCredentials } from './kube/credentials.ts'
import { isEverydayAnswer } from './kube/api.ts'
import { Outage } from './kube/outage.ts'
import { HttpApi } from './kube/http-api.ts'
import { LeaderLease } from './kube/lease.ts'
import { operatorMetrics, type OperatorMetrics } from './metrics.ts'
import { Operator } from './operator.ts'
import { apiWhileLeading, callsWhileLeading } from './while-leading.ts'

const exitError = 1
const leaseName = 'millrace-operator'
/** Work that waits for an answer is not waited for: the next operator does it again. */
const workDeadlineMs = 500
/** Then the Lease is released by one request; more means that the API server does not answer. */
const stopDeadlineMs = 900
/** When everything in its namespace has to be let go; within the pod's grace period of ten seconds. */
const letGoDeadlineMs = 8_000
/** What is left open after a clean stop gets so long to end. */
const lingerMs = 300

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as
  { version: string }

async function main (): Promise<void> {
  const config = parseConfig(process.env, version)
  const log = pino({ level: config.logLevel, base: { operator: config.identity } })
  const clock = new NodeClock()
  const rng = new NodeRng()
  const credentials = await loadCredentials(process.env)
  const api = new HttpApi({
    credentials,
    clock,
    userAgent: `millrace-operator/${version}`,
    onWrite: (verb, kind) => { metrics.writes.inc({ verb, kind: kind.kind }) },
    onAnswer: error => {
      metrics.requests.inc()
      if (error === undefined) outage.answered()
      if (error !== undefined && !isEverydayAnswer(error)) metrics.errors.inc()
    }
  })
  const isStale = (): boolean => lease.isStale
  const outage = new Outage(clock, () => {
    log.info('the API server answers again')
    operator.resume()
  })
  const operator = new Operator({
    api: apiWhileLeading(api, isStale),
    net: callsWhileLeading(new AdminCalls(() => clock.wallTime()), isStale),
    clock,
    rng,
    log,
    namespaces: config.namespaces,
    readsNodes: config.readsNodes,
    image: config.image,
    version,
    instance: config.identity,
    onReconciled: (kind, result, tookMs) => {
      metrics.reconciles.inc({ kind, result })
      metrics.reconcileSeconds.observe({ kind }, tookMs / 1000)
    }
  })
  const lease = new LeaderLease({
    api,
    clock,
    rng,
    log,
    // Its own, whatever is watched: a changed list of namespaces must not make two that act.
    namespace: credentials.namespace,
    name: leaseName,
    identity: config.identity,
    onAcquired: () => {
      log.info('leading')
      operator.lead().catch(fail)
    },
    onLost: () => { fail(new Error('the Lease is lost: another operator leads, or the API server was away')) }
  })
  const metrics = measure(operator, lease)
  stopOnSignals(operator, lease, log, credentials.namespace)
  operator.start()
  lease.start()
  await serve(config, operator, metrics, log)
}

async function serve (config: OperatorConfig, operator: Operator, { registry }: OperatorMetrics,
  log: Logger): Promise<void> {
  await serveHealth(config.listenMetrics, {
    registry,
    notReady: () => {
      const waiting = operator.unread
      return waiting.length === 0 ? '' : `not read yet: ${waiting.join(', ')}`
    }
  })
  log.info({ address: config.listenMetrics }, 'serving metrics and health')
}

function measure (operator: Operator, lease: LeaderLease): OperatorMetrics {
  const byKind = (read: (reflector: typeof operator.caches.measured[number]) => number): Record<string, number> =>
    Object.fromEntries(operator.caches.measured.map(reflector => [reflector.kind.kind, read(reflector)]))
  return operatorMetrics(version, {
    queueDepth: () => ({ Cluster: operator.clusterQueue.depth, Topic: operator.topicQueue.depth }),
    watchSilenceSeconds: () => byKind(({ silenceMs }) => silenceMs / 1000),
    watchRestarts: () => byKind(({ restarts }) => restarts),
    objects: () => byKind(({ size }) => size),
    isLeader: () => lease.isLeader
  })
}

function stopOnSignals (operator: Operator, lease: LeaderLease, log: Logger, namespace: string): void {
  const endAfter = (ms: number): NodeJS.Timeout => setTimeout(() => { process.exit(0) }, ms).unref()
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'stopping')
    const end = endAfter(stopDeadlineMs)
    const deadline = new Promise<void>(resolve => { setTimeout(resolve, workDeadlineMs).unref() })
    Promise.race([operator.stop(), deadline])
      .then(async () => {
        await operator.letGo(namespace, () => {
          clearTimeout(end)
          endAfter(letGoDeadlineMs)
        })
      })
      .then(async () => { await lease.stop() })
      .then(() => {
        process.exitCode = 0
        // process.exit can hang while V8 compiles in the background: the process ends by itself where it can.
        setTimeout(() => { process.exit() }, lingerMs).unref()
      }, fail)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

function fail (error: unknown): void {
  process.stderr.write(`operator: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(exitError)
}

main().catch(fail)
