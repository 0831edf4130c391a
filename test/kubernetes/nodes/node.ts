// One node: containerd with runc, and the kubelet.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pauseName } from './binaries.ts'
import { makeCgroup, removeCgroup } from './cgroups.ts'
import { podRangeOf, type NodeNetwork } from './network.ts'
import { attempt, cniFolder, Daemon, run, until } from './tools.ts'

const containerdMsMax = 20_000

/** Of which Kubernetes tells pods nothing. */
export const hallLabel = 'example.com/hall'

export interface NodeOptions {
  readonly index: number
  readonly folder: string
  /** kube, which is the kubelet too. */
  readonly binary: string
  /** With pki/ and the kubeconfigs. */
  readonly planeFolder: string
  readonly network: NodeNetwork
  readonly resolvConf: string
}

export class Node {
  readonly name: string
  readonly index: number
  readonly #options: NodeOptions
  #containerd: Daemon | undefined
  #kubelet: Daemon | undefined

  constructor (options: NodeOptions) {
    this.index = options.index
    this.name = `node-${options.index}`
    this.#options = options
  }

  get #cgroup (): string { return `${this.#options.network.name}-${this.index}` }
  get #socket (): string { return join(this.#options.folder, 'cri.sock') }

  async startContainerd (images: readonly string[]): Promise<void> {
    const { folder } = this.#options
    await mkdir(join(folder, 'cni'), { recursive: true })
    await mkdir(join(folder, 'log'), { recursive: true })
    await writeFile(join(folder, 'containerd.toml'), this.#containerdConfig())
    await writeFile(join(folder, 'cni/10-bridge.conflist'), JSON.stringify(this.#cniConfig()))
    this.#containerd = this.#start('containerd', 'containerd', '--config', join(folder, 'containerd.toml'))
    await until(`containerd of ${this.name}`, containerdMsMax, async () => await attempt('ctr', '-a', this.#socket,
      'version') !== '')
    for (const image of images) await this.ctr('images', 'import', image)
  }

  /** Resolves when it runs; when the node is ready its status says. */
  async startKubelet (): Promise<void> {
    const { folder, binary, planeFolder, network } = this.#options
    await makeCgroup(this.#cgroup)
    await writeFile(join(folder, 'kubelet.yaml'), JSON.stringify(this.#kubeletConfig()))
    this.#kubelet = this.#start('kubelet', binary, 'kubelet', '--config', join(folder, 'kubelet.yaml'),
      '--kubeconfig', join(planeFolder, `${this.name}.kubeconfig`), '--root-dir', join(folder, 'kubelet'),
      '--hostname-override', this.name, '--node-ip', network.address(this.index),
      '--node-labels', `topology.kubernetes.io/zone=zone-${this.index},${hallLabel}=${this.hall}`)
  }

  /** Fewer than nodes: two of three share one. */
  get hall (): string { return `hall-${Math.ceil(this.index / 2)}` }

  async ctr (...args: readonly string[]): Promise<string> {
    return await run('ctr', '-a', this.#socket, '-n', 'k8s.io', ...args)
  }

  /** As if the machine had lost its power: kubelet and every container. Its disk stays. */
  async kill (): Promise<void> {
    await this.#kubelet?.stop('SIGKILL')
    await this.#killContainers()
  }

  async stopKubelet (): Promise<void> { await this.#kubelet?.stop() }

  /** Everything that is left, and what it has put into the machine. */
  async stop (): Promise<void> {
    await this.#kubelet?.stop()
    const namespaces = await this.#killContainers()
    await this.#containerd?.stop()
    await this.#unmount()
    for (const namespace of namespaces) await attempt('ip', 'netns', 'del', namespace)
    await removeCgroup(this.#cgroup)
  }

  /** Names of the network namespaces that the pods had. */
  async #killContainers (): Promise<string[]> {
    const ctr = async (...args: readonly string[]): Promise<string> =>
      await attempt('ctr', '-a', this.#socket, '-n', 'k8s.io', ...args)
    const lines = (text: string): string[] => text.split('\n').filter(line => line !== '')
    for (const task of lines(await ctr('tasks', 'ls', '-q'))) await ctr('tasks', 'kill', '-s', 'KILL', task)
    const namespaces = new Set<string>()
    for (const container of lines(await ctr('containers', 'ls', '-q'))) {
      for (const [, name] of (await ctr('containers', 'info', container)).matchAll(/\/run\/netns\/(cni-[0-9a-f-]+)/g)) {
        namespaces.add(name!)
      }
      await ctr('tasks', 'rm', '-f', container)
      await ctr('containers', 'rm', container)
    }
    return [...namespaces]
  }

  async #unmount (): Promise<void> {
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map(line => line.split(' ')[1] ?? '')
    const ours = mounts.filter(mount => mount.startsWith(`${this.#options.folder}/`)).sort().reverse()
    for (const mount of ours) await attempt('umount', '-l', mount)
  }

  #start (name: string, command: string, ...args: readonly string[]): Daemon {
    return new Daemon(`${name} of ${this.name}`, join(this.#options.folder, `log/${name}.log`), 'nsenter',
      this.#options.network.enter(command, ...args))
  }

  #containerdConfig (): string {
    const { folder } = this.#options
    return `version = 2
root = "${folder}/containerd"
state = "${folder}/containerd-state"
[grpc]
  address = "${this.#socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseName}"
  restrict_oom_score_adj = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniFolder}"
    conf_dir = "${folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`
  }

  #cniConfig (): object {
    const subnet = podRangeOf(this.index)
    return {
      cniVersion: '0.4.0',
      name: `pods-${this.index}`,
      plugins: [
        {
          type: 'bridge',
          bridge: `pods-${this.index}`,
          isGateway: true,
          ipMasq: false,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            dataDir: join(this.#options.folder, 'ipam'),
            ranges: [[{ subnet }]],
            routes: [{ dst: '0.0.0.0/0' }]
          }
        },
        { type: 'portmap', capabilities: { portMappings: true } }
      ]
    }
  }

  #kubeletConfig (): object {
    const { planeFolder, network, resolvConf } = this.#options
    const pki = (name: string): string => join(planeFolder, 'pki', name)
    return {
      kind: 'KubeletConfiguration',
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      address: network.address(this.index),
      healthzPort: 0,
      authentication: {
        anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: pki('ca.crt') }
      },
      authorization: { mode: 'Webhook' },
      tlsCertFile: pki(`server-${this.name}.crt`),
      tlsPrivateKeyFile: pki(`server-${this.name}.key`),
      cgroupDriver: 'cgroupfs',
      cgroupRoot: `/${this.#cgroup}`,
      failSwapOn: false,
      failCgroupV1: false,
      oomScoreAdj: 0,
      localStorageCapacityIsolation: false,
      containerRuntimeEndpoint: `unix://${this.#socket}`,
      // Each its own: kubelets take away what they do not know.
      podLogsDir: join(this.#options.folder, 'pods'),
      clusterDNS: [network.address(1)],
      clusterDomain: 'cluster.local',
      resolvConf,
      evictionHard: { 'memory.available': '100Mi' },
      imageGCHighThresholdPercent: 100,
      nodeStatusReportFrequency: '10s'
    }
  }
}
