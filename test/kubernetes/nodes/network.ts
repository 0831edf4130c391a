// The network that the nodes share: a namespace of its own with an address for each node, and a pair of virtual
// Ethernet devices to this machine, so that tests reach nodes, pods and Services by their addresses. Nothing is routed
// any further: the addresses are those of RFC 5737 and of RFC 2544's benchmark range.
import { writeFile } from 'node:fs/promises'
import { attempt, run } from './tools.ts'

const outside = 'mr-host'
const inside = 'mr-node'
const prefix = '198.51.100'
const podsAndServices = '198.18.0.0/15'
export const podRangeOf = (node: number): string => `198.18.${node}.0/24`

export class NodeNetwork {
  readonly name: string

  private constructor (name: string) {
    this.name = name
  }

  /** @throws Error when another one is up: its addresses are fixed. */
  static async start (name: string, nodes: number): Promise<NodeNetwork> {
    const network = new NodeNetwork(name)
    await run('ip', 'netns', 'add', name)
    await network.in('ip', 'link', 'set', 'lo', 'up')
    await run('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name)
    for (let node = 1; node <= nodes; node++) {
      await network.in('ip', 'addr', 'add', `${network.address(node)}/24`, 'dev', inside)
    }
    await network.in('ip', 'link', 'set', inside, 'up')
    await run('ip', 'addr', 'add', `${network.host}/24`, 'dev', outside)
    await run('ip', 'link', 'set', outside, 'up')
    await run('ip', 'route', 'add', podsAndServices, 'via', network.address(1), 'dev', outside)
    await network.in('ip', 'route', 'add', 'default', 'via', network.host)
    await network.in('sysctl', '-qw', 'net.ipv4.ip_forward=1')
    // Present only where bridges are filtered; without it pods of one node reach Services as well.
    await network.in('sh', '-c', 'sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true')
    return network
  }

  /** Of this machine, as nodes see it. */
  get host (): string { return `${prefix}.1` }
  /** Nodes count from 1. */
  address (node: number): string { return `${prefix}.${9 + node}` }

  /** Runs a program in the namespace. Not `ip netns exec`: that mounts /sys anew, without the cgroups. */
  async in (command: string, ...args: readonly string[]): Promise<string> {
    return await run('nsenter', ...this.enter(command, ...args))
  }

  /** Arguments of nsenter. */
  enter (command: string, ...args: readonly string[]): string[] {
    return [`--net=/run/netns/${this.name}`, command, ...args]
  }

  /** No packet passes between the pods of two nodes any more, in either direction, or only from the first. */
  async cut (from: number, to: number, oneWay = false): Promise<void> {
    await this.#filter('-I', from, to)
    if (!oneWay) await this.#filter('-I', to, from)
  }

  async heal (from: number, to: number, oneWay = false): Promise<void> {
    await this.#filter('-D', from, to)
    if (!oneWay) await this.#filter('-D', to, from)
  }

  async #filter (action: '-I' | '-D', from: number, to: number): Promise<void> {
    await this.in('iptables', '-w', action, 'FORWARD', '-s', podRangeOf(from), '-d', podRangeOf(to), '-j', 'DROP')
  }

  async stop (): Promise<void> {
    await attempt('ip', 'link', 'del', outside)
    await attempt('ip', 'netns', 'del', this.name)
  }
}

/** For programs on the nodes; never that of this machine. */
export async function writeResolvConf (file: string, nameserver: string): Promise<void> {
  await writeFile(file,
    `nameserver ${nameserver}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`)
}
