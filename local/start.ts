// `npm start`: a cluster on this machine, until Ctrl-C.
import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join, relative } from 'node:path'
import { rootFolder } from './child.ts'
import { openDataFolder } from './data-folder.ts'
import type { DataFolder } from './data-folder.ts'
import { folderDefault, parseOptions, portDefault, usage } from './options.ts'
import type { StartOptions } from './options.ts'
import { address, portsOf } from './pods/types.ts'
import { Proxy } from './pods/proxy.ts'
import { Progress } from './progress.ts'
import { everythingReady } from './readiness.ts'
import { kubeconfigOf, Stack } from './stack.ts'
import { StartError } from './start-error.ts'

const { version } = JSON.parse(readFileSync(join(rootFolder, 'package.json'), 'utf8')) as { version: string }
/** Where the person is; npm runs us in the project's folder. */
const cwd = process.env.INIT_CWD ?? process.cwd()
/** Since this process was started, and with it the wait of the person. */
const sinceStartMs = (): number => performance.now()
const patienceMs = 60_000
const parentAskedMs = 500
/** More than a stop ever takes. */
const stopDeadlineMs = 10_000

async function main (): Promise<void> {
  const options = parseOptions(process.argv.slice(2), cwd, rootFolder)
  if (options.help) {
    process.stdout.write(usage)
    return
  }
  const stopped = stopSignal()
  const bootstrap = await listen(options.port)
  const folder = openDataFolder(options.folder, version, options.fresh)
  process.stdout.write(`millrace ${version}, data in ${shown(folder.path)}\n`)
  const progress = new Progress(process.stdout)
  const stack = await Stack.start({
    folder: folder.path,
    bootstrap,
    brokers: options.brokers,
    onTrouble: text => { process.stderr.write(`% ${text}\n`) }
  })
  progress.set('kubernetes api', stack.api.url, true)
  const impatience = setTimeout(() => {
    process.stderr.write(`% not ready after ${patienceMs / 1000} s; see ${shown(join(folder.path, 'logs'))}\n`)
  }, patienceMs)
  const ready = everythingReady(stack.api, progress).then(() => true)
  if (await Promise.race([ready, stopped.then(() => false)])) {
    progress.end()
    sayReady(stack, options, bootstrap.port)
    flushCompileCache()
  }
  clearTimeout(impatience)
  await stopped
  await stop(stack, folder)
}

/**
 * Resolves at the first SIGINT, SIGTERM or SIGHUP, more of them change nothing; or when
 * scripts/start.mjs, which passes signals on, is gone without a word.
 */
async function stopSignal (): Promise<void> {
  const parent = process.env.MILLRACE_PARENT
  await new Promise<void>(resolve => {
    process.on('SIGINT', () => { resolve() })
    process.on('SIGTERM', () => { resolve() })
    process.on('SIGHUP', () => { resolve() })
    if (parent === undefined) return
    setInterval(() => { if (String(process.ppid) !== parent) resolve() }, parentAskedMs).unref()
  })
}

async function stop (stack: Stack, folder: DataFolder): Promise<void> {
  process.stdout.write('\nstopping ...\n')
  setTimeout(() => {
    process.stderr.write('% error: not everything stopped in time\n')
    process.exit(1)
  }, stopDeadlineMs).unref()
  await stack.stop()
  folder.release()
  process.stdout.write('stopped; the data stays\n')
}

async function listen (port: number): Promise<Proxy> {
  try {
    return await Proxy.listen(port)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new StartError(code === 'EADDRINUSE'
      ? `port ${port} on ${address} is in use by another process; choose another with --port`
      : message)
  }
}

/** As a person would type it. */
function shown (path: string): string {
  const short = relative(cwd, path)
  return short.startsWith('..') ? path : short
}

function sayReady (stack: Stack, { folder }: StartOptions, port: number): void {
  const pods = stack.api.list('pods', { labelSelector: 'app.kubernetes.io/component=broker' })
  const metrics = [
    ...pods.map(pod => [pod.metadata.name, portsOf(pod).metrics ?? 0] as const),
    ['operator', stack.operatorMetricsPort] as const
  ].map(([name, each]) => `http://${address}:${each}/metrics  ${name}`)
  const kubeconfig = shown(kubeconfigOf(folder))
  const millrace = shown(join(rootFolder, 'bin/millrace'))
  const commands = [
    `export KUBECONFIG=${kubeconfig}`,
    ...port === portDefault ? [] : [`export MILLRACE_BOOTSTRAP=${address}:${port}`],
    'kubectl get mrc,mrt,statefulsets,pods,services',
    `seq 1 1000 | ${millrace} produce orders`,
    `${millrace} consume orders -o start -e`,
    'kubectl delete pod events-0 --grace-period=0 --force'
  ]
  const again = shown(folder) === folderDefault ? '' : ` -- --dir ${shown(folder)}`
  process.stdout.write(`
millrace is ready in ${(sinceStartMs() / 1000).toFixed(1)} s

  bootstrap   ${address}:${port}
  kubeconfig  ${kubeconfig}
  metrics     ${metrics.join('\n              ')}
  logs        ${shown(join(folder, 'logs'))}

In another terminal:

  ${commands.join('\n  ')}

Ctrl-C stops it; the data stays, npm start${again} goes on with it.
`)
}

// A terminal that was closed, a pipe that nobody reads: everything still has to be stopped in order.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

/** process.exit can hang while V8 compiles in the background: the process ends by itself where it can. */
const lingerMs = 300

main().then(() => {
  process.exitCode = 0
  setTimeout(() => { process.exit() }, lingerMs).unref()
}, (error: unknown) => {
  const text = error instanceof StartError ? error.message : (error as Error).stack ?? String(error)
  process.stderr.write(`% error: ${text}\n`)
  process.exit(1)
})
