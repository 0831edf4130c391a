// A real control plane for one suite: etcd, kube-apiserver, kube-controller-manager and kube-scheduler in one
// process, in a folder of its own. Ready in about five seconds.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type Any, type Target } from '../local/kube/client.ts'
import { kubeBinary } from './build.ts'

/** MILLRACE_KUBERNETES=previous asks for the older version. */
const folder = process.env.MILLRACE_KUBERNETES === 'previous' ? join(import.meta.dirname, 'previous') : undefined
const stopMsMax = 20_000

export class ControlPlane {
  readonly folder: string
  readonly version: string
  /** kube; its other commands are for nodes. */
  readonly binary: string
  readonly #ports: { readonly api: number, readonly etcd: number }
  #child: ChildProcess | undefined
  #admin: Target | undefined

  private constructor (folder: string, path: string, version: string, ports: { api: number, etcd: number }) {
    this.folder = folder
    this.binary = path
    this.version = version
    this.#ports = ports
  }

  /** Builds what is not built yet. */
  static async start (): Promise<ControlPlane> {
    const { path, version } = await kubeBinary(folder)
    const ports = { api: await freePort(), etcd: await freePortPair() }
    const plane = new ControlPlane(await mkdtemp(join(tmpdir(), 'millrace-kubernetes-')), path, version, ports)
    await plane.resume()
    // What controllers make of a new cluster comes a moment after it answers.
    await plane.client().eventually('/api/v1/namespaces/default/serviceaccounts/default',
      ({ status }) => status === 200, 60_000)
    return plane
  }

  get url (): string { return `https://127.0.0.1:${this.#ports.api}` }
  get kubeconfig (): string { return join(this.folder, 'admin.kubeconfig') }

  /** Who may do everything. */
  get admin (): Target {
    if (this.#admin === undefined) throw new Error('the control plane does not run')
    return this.#admin
  }

  client (target: Target = this.admin): Client { return new Client(target) }

  /**
   * Somebody with the token of a ServiceAccount, and nothing more.
   * @param boundObjectRef the pod that it is for, as kubelets ask: the token ends with it
   */
  async as (namespace: string, serviceAccount: string, boundObjectRef?: object): Promise<Target> {
    const reply = await this.client().post(
      `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
      {
        apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600, boundObjectRef }
      })
    if (reply.status !== 201) throw new Error(`no token for ${serviceAccount}: ${reply.text}`)
    return { url: this.url, ca: this.admin.ca!, token: (reply.body as Any).status.token as string }
  }

  /** Starts it on what an earlier one left. */
  async resume (): Promise<void> {
    const log = createWriteStream(join(this.folder, 'kube.log'), { flags: 'a' })
    const child = spawn(this.binary, ['up', '--dir', this.folder, '--port', String(this.#ports.api),
      '--etcd-port', String(this.#ports.etcd)], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr.pipe(log)
    await new Promise<void>((resolve, reject) => {
      let said = ''
      child.stdout.on('data', (bytes: Buffer) => {
        said += bytes.toString()
        if (/^ready$/m.test(said)) resolve()
      })
      child.once('error', reject)
      child.once('exit', code => { reject(new Error(`the control plane ended with ${code}; see ${log.path}`)) })
    })
    const read = async (name: string): Promise<string> => await readFile(join(this.folder, 'pki', name), 'utf8')
    const [ca, cert, key] = [await read('ca.crt'), await read('admin.crt'), await read('admin.key')]
    this.#admin = { url: this.url, ca, cert, key }
  }

  /** As an outage of the API: nothing is said goodbye to. */
  async kill (): Promise<void> { await this.#end('SIGKILL') }

  async stop (): Promise<void> {
    await this.#end('SIGTERM')
    await rm(this.folder, { recursive: true, force: true })
  }

  async #end (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    const timer = setTimeout(() => { child.kill('SIGKILL') }, stopMsMax)
    await ended
    clearTimeout(timer)
  }
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** etcd takes the next one too. */
async function freePortPair (): Promise<number> {
  for (;;) {
    const port = await freePort()
    const next = createServer().listen(port + 1, '127.0.0.1')
    const free = await new Promise<boolean>(resolve => {
      next.once('listening', () => { resolve(true) })
      next.once('error', () => { resolve(false) })
    })
    if (!free) continue
    next.close()
    await once(next, 'close')
    return port
  }
}
