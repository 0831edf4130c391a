// The broker process: reads the environment, gives BrokerNode the real ports, serves health and metrics.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { NodeClock } from '../wire/adapters/node-clock.ts'
import { NodeRng } from '../wire/adapters/node-rng.ts'
import { GrpcNet } from '../wire/adapters/grpc-net.ts'
import { WireError } from '../wire/errors.ts'
import { parseConfig, type BrokerConfig } from './config.ts'
import { watchConfig } from './config-watch.ts'
import { serveHealth } from './http.ts'
import { HttpKube } from './io/adapters/http-kube.ts'
import { NodeDisk } from './io/adapters/node-disk.ts'
import { connectionsMax, messageBytesMax, peerKeepaliveMs, streamsPerConnectionMax } from './limits.ts'
import { brokerRegistry } from './metrics.ts'
import { BrokerNode } from './node.ts'

const exitError = 1
/** More than a graceful stop ever takes; then the process ends by itself rather than by SIGKILL. */
const stopDeadlineMs = 15_000
/** What is left open after a clean stop gets so long to end. */
const lingerMs = 300

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as
  { version: string }

const configPath = process.env.MILLRACE_CONFIG ?? ''

async function main (): Promise<void> {
  const text = configPath === '' ? '{}' : readFileSync(configPath, 'utf8')
  const config = parseConfig(process.env, text)
  const log = pino({ level: config.logLevel, base: { broker: config.podName } })
  const disk = await NodeDisk.open(config.dataFolder)
  const net = new GrpcNet({ messageBytesMax, streamsPerConnectionMax, connectionsMax, keepaliveMs: peerKeepaliveMs })
  const ports = { clock: new NodeClock(), rng: new NodeRng(), net, disk, kube: HttpKube.fromEnvironment(), log }
  const node = new BrokerNode(ports, config, () => { process.exit(exitError) })
  await serveHealth(config.listenMetrics, {
    registry: brokerRegistry(version, () => node.metrics()),
    notReady: () => node.notReady(),
    notAlive: () => ''
  })
  stopOnSignals(node, disk, log)
  await node.start()
  if (configPath !== '') {
    const read = async (): Promise<string> => await readFile(configPath, 'utf8')
    const changed = (next: BrokerConfig): void => {
      log.level = next.logLevel
      node.apply(next)
      log.info({}, 'the settings have changed')
    }
    watchConfig({ clock: ports.clock, log, env: process.env, read, changed }, text)
  }
  log.info({ client: config.listenClient, peer: config.listenPeer }, 'listening')
}

function stopOnSignals (node: BrokerNode, disk: NodeDisk, log: pino.Logger): void {
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'stopping')
    setTimeout(() => { process.exit(exitError) }, stopDeadlineMs).unref()
    node.stop().then(async () => {
      await disk.close()
      process.exitCode = 0
      // process.exit can hang while V8 compiles in the background: the process ends by itself where it can.
      setTimeout(() => { process.exit() }, lingerMs).unref()
    }, (error: unknown) => {
      log.error({ error }, 'stopping failed')
      process.exit(exitError)
    })
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

main().catch((error: unknown) => {
  const text = error instanceof WireError ? `${error.code}: ${error.message}. ${error.help}` : String(error)
  process.stderr.write(`broker: ${text}\n`)
  process.exit(exitError)
})
