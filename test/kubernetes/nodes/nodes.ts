// A Kubernetes of several real nodes on one machine: control plane, kube-proxy, DNS and volumes, and for each node
// containerd, runc and a kubelet. Everything lives in one network namespace and one folder, and leaves with them.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, type Any, type Target } from '../../local/kube/client.ts'
import { kubeBinary } from '../build.ts'
import { nodeBinaries } from './binaries.ts'
import { NodeNetwork, writeResolvConf } from './network.ts'
import { Node } from './node.ts'
import { checkMachine, Daemon, run, until } from './tools.ts'

const call = promisify(execFile)
const readyMsMax = 120_000
const apiPort = 6443
const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'kube.test/local',
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate'
}
/** Disks of the nodes themselves: what is on one is gone with its node. */
export const diskClass = 'disks'
const disksOfNode = 2

export interface NodesOptions {
  readonly count: number
  /** OCI archives, for every node. */
  readonly images: readonly string[]
  /** After how many seconds of silence a node counts as dead; Kubernetes' own is 50. */
  readonly nodeGraceSeconds?: number
}

export class Nodes {
  readonly folder: string
  readonly version: string
  readonly network: NodeNetwork
  readonly nodes: readonly Node[]
  readonly #binary: string
  readonly #graceSeconds: number
  readonly #daemons: Daemon[] = []
  #plane: Daemon | undefined
  #admin: Target | undefined

  private constructor (folder: string, kube: { path: string, version: string }, network: NodeNetwork,
    { count, nodeGraceSeconds = 50 }: NodesOptions) {
    this.folder = folder
    this.version = kube.version
    this.network = network
    this.#binary = kube.path
    this.#graceSeconds = nodeGraceSeconds
    this.nodes = Array.from({ length: count }, (_, index) => new Node({
      index: index + 1,
      folder: join(folder, `node-${index + 1}`),
      binary: kube.path,
      planeFolder: this.planeFolder,
      network,
      resolvConf: this.resolvConf
    }))
  }

  /** Builds what is not built yet. Resolves when every node is ready. @throws Error that names what is missing */
  static async start (options: NodesOptions): Promise<Nodes> {
    await checkMachine()
    const kube = await kubeBinary()
    const { dns, pauseImage } = await nodeBinaries(process.arch === 'arm64' ? 'arm64' : 'amd64')
    const folder = await mkdtemp(join(tmpdir(), 'millrace-nodes-'))
    const network = await NodeNetwork.start(`millrace-${process.pid}`, options.count)
    const nodes = new Nodes(folder, kube, network, options)
    try {
      await nodes.#begin(dns, [pauseImage, ...options.images])
    } catch (error) {
      await nodes.stop(true)
      throw error
    }
    return nodes
  }

  get planeFolder (): string { return join(this.folder, 'plane') }
  /** Of who may do everything; reaches the API server from this machine. */
  get kubeconfig (): string { return join(this.folder, 'kubeconfig') }
  /** What is on a PersistentVolume. */
  volumeFolder (volume: string): string { return join(this.planeFolder, 'volumes', volume) }
  get resolvConf (): string { return join(this.folder, 'resolv.conf') }
  get url (): string { return `https://${this.network.address(1)}:${apiPort}` }

  client (): Client {
    if (this.#admin === undefined) throw new Error('the control plane does not run')
    return new Client(this.#admin)
  }

  /** @throws Error with what kubectl printed */
  async kubectl (...args: readonly string[]): Promise<string> {
    return await run('kubectl', '--kubeconfig', this.kubeconfig, ...args)
  }

  /** The same with something to read. */
  async kubectlWith (input: string, ...args: readonly string[]): Promise<string> {
    const running = call('kubectl', ['--kubeconfig', this.kubeconfig, ...args], { maxBuffer: 64 * 1024 * 1024 })
    running.child.stdin!.end(input)
    return (await running).stdout
  }

  /** Put before a program: it runs in the cluster's network and finds names as a pod does. */
  commandInside (): string[] {
    const script = `mount --bind ${this.resolvConf} /etc/resolv.conf && exec "$@"`
    return ['nsenter', ...this.network.enter('unshare', '--mount', 'sh', '-c', script, 'sh')]
  }

  /** The command line, where it finds brokers by their names. @throws Error with what it printed */
  async millrace (...args: readonly string[]): Promise<{ stdout: string, stderr: string }> {
    return await this.millraceAs(this.kubeconfig, ...args)
  }

  async millraceAs (kubeconfig: string, ...args: readonly string[]): Promise<{ stdout: string, stderr: string }> {
    const program = join(import.meta.dirname, '../../../bin/millrace')
    const [command = '', ...rest] = this.commandInside()
    return await call(command, [...rest, program, ...args], { env: { ...process.env, KUBECONFIG: kubeconfig } })
  }

  /** kill -9 of the whole control plane. */
  async killApi (): Promise<void> { await this.#plane?.stop('SIGKILL') }

  /** Starts it on what the last one left. */
  async resumeApi (): Promise<void> {
    const log = join(this.folder, `log/plane-${performance.now().toFixed(0)}.log`)
    this.#plane = this.#start('control plane', log, this.#binary, 'up', '--dir', this.planeFolder,
      '--port', String(apiPort), '--nodes', String(this.nodes.length), '--node-ip', this.network.address(1),
      '--manager-args', `--node-monitor-grace-period=${this.#graceSeconds}s`)
    await this.#plane.said(/^ready$/m, readyMsMax)
  }

  async ready (node: Node, wanted = true, timeoutMs = readyMsMax): Promise<void> {
    await this.client().eventually(`/api/v1/nodes/${node.name}`, ({ body }) =>
      ((body as Any)?.status?.conditions ?? []).some((each: Any) =>
        each.type === 'Ready' && (each.status === 'True') === wanted), timeoutMs)
  }

  async #begin (dns: string, images: readonly string[]): Promise<void> {
    await mkdir(join(this.folder, 'log'))
    await writeResolvConf(this.resolvConf, this.network.address(1))
    await Promise.all([this.resumeApi(), ...this.nodes.map(async node => { await node.startContainerd(images) })])
    await this.#readCredentials()
    for (const node of this.nodes) {
      await node.startKubelet()
      // One after another: every kubelet makes the same socket in /var/lib/kubelet/device-plugins.
      await this.client().eventually(`/api/v1/nodes/${node.name}`, ({ status }) => status === 200, readyMsMax)
    }
    await this.#startServices(dns)
    await this.client().post('/apis/storage.k8s.io/v1/storageclasses', storageClass)
    await this.#makeDisks()
    await Promise.all(this.nodes.map(async node => { await this.ready(node) }))
    await this.client().eventually('/api/v1/namespaces/default/serviceaccounts/default',
      ({ status }) => status === 200, readyMsMax)
  }

  async #makeDisks (): Promise<void> {
    await this.#make('storageclasses', {
      apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: diskClass },
      provisioner: 'kubernetes.io/no-provisioner', volumeBindingMode: 'WaitForFirstConsumer'
    }, '/apis/storage.k8s.io/v1')
    for (const { name: node } of this.nodes) {
      for (let disk = 1; disk <= disksOfNode; disk++) {
        const name = `${node}-disk-${disk}`
        await mkdir(this.volumeFolder(name), { recursive: true })
        await this.#make('persistentvolumes', {
          apiVersion: 'v1',
          kind: 'PersistentVolume',
          metadata: { name },
          spec: {
            capacity: { storage: '1Gi' },
            accessModes: ['ReadWriteOnce'],
            persistentVolumeReclaimPolicy: 'Retain',
            storageClassName: diskClass,
            local: { path: this.volumeFolder(name) },
            nodeAffinity: {
              required: {
                nodeSelectorTerms: [{
                  matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }]
                }]
              }
            }
          }
        }, '/api/v1')
      }
    }
  }

  async #make (plural: string, object: object, base: string): Promise<void> {
    const { status, text } = await this.client().post(`${base}/${plural}`, object)
    if (status !== 201) throw new Error(text)
  }

  async #readCredentials (): Promise<void> {
    const config = await readFile(join(this.planeFolder, 'admin.kubeconfig'), 'utf8')
    await writeFile(this.kubeconfig, config.replaceAll(/https:\/\/[^:\s"]+:\d+/g, this.url))
    const read = async (name: string): Promise<string> => await readFile(join(this.planeFolder, 'pki', name), 'utf8')
    const [ca, cert, key] = [await read('ca.crt'), await read('admin.crt'), await read('admin.key')]
    this.#admin = { url: this.url, ca, cert, key }
  }

  async #startServices (dns: string): Promise<void> {
    const proxy = join(this.folder, 'proxy.yaml')
    await writeFile(proxy, JSON.stringify({
      kind: 'KubeProxyConfiguration',
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      clientConnection: { kubeconfig: join(this.planeFolder, 'kube-proxy.kubeconfig') },
      mode: 'iptables',
      clusterCIDR: '198.18.0.0/16',
      hostnameOverride: 'node-1',
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' }
    }))
    const corefile = join(this.folder, 'Corefile')
    await writeFile(corefile, `.:53 {
  errors
  ready ${this.network.address(1)}:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${join(this.planeFolder, 'admin.kubeconfig')}
    ttl 1
  }
}
`)
    const log = (name: string): string => join(this.folder, `log/${name}.log`)
    this.#daemons.push(
      this.#start('kube-proxy', log('kube-proxy'), this.#binary, 'kube-proxy', '--config', proxy),
      this.#start('provisioner', log('provisioner'), this.#binary, 'provisioner', '--dir', this.planeFolder),
      this.#start('dns', log('dns'), dns, '-conf', corefile))
    const ready = `http://${this.network.address(1)}:8181/ready`
    await until('DNS is ready', readyMsMax, async () => await fetch(ready).then(({ ok }) => ok, () => false))
  }

  #start (name: string, log: string, command: string, ...args: readonly string[]): Daemon {
    return new Daemon(name, log, 'nsenter', this.network.enter(command, ...args))
  }

  /** @param keep the folder, with logs and volumes */
  async stop (keep = false): Promise<void> {
    for (const node of this.nodes) await node.stopKubelet()
    for (const node of this.nodes) await node.stop()
    await Promise.all(this.#daemons.map(async daemon => { await daemon.stop() }))
    await this.#plane?.stop()
    await this.network.stop()
    if (keep) process.stderr.write(`% logs of the nodes: ${this.folder}\n`)
    else await rm(this.folder, { recursive: true, force: true })
  }
}
