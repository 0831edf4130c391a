// The host of one World on a real control plane: a namespace of its own.
import type { Credentials } from '../../../operator/kube/credentials.ts'
import type { WorldApi, WorldHost } from '../../operator/reconcile/world-host.ts'
import type { Installation } from './installation.ts'

export async function realHost (installation: Installation): Promise<WorldHost> {
  await installation.restoreDefinitions()
  return new RealHost(installation, await installation.makeNamespace())
}

class RealHost implements WorldHost {
  readonly kube: WorldApi
  readonly namespace: string
  readonly waitMs = 25_000
  readonly #installation: Installation
  readonly #namespaces: string[]

  constructor (installation: Installation, namespace: string) {
    this.#installation = installation
    this.namespace = namespace
    this.#namespaces = [namespace]
    this.kube = installation.api(shown => this.#namespaces.includes(shown))
  }

  async credentials (): Promise<Credentials> {
    return await this.#installation.operatorCredentials()
  }

  startNodes (areReady: () => boolean): void {
    this.#installation.kubelet.areReady = areReady
  }

  async makeNamespace (name: string): Promise<string> {
    const made = await this.#installation.makeNamespace(`${this.namespace}-${name}`)
    this.#namespaces.push(made)
    return made
  }

  async nextSecond (): Promise<void> {
    const second = Math.floor(Date.now() / 1_000)
    while (Math.floor(Date.now() / 1_000) === second) await new Promise(resolve => { setTimeout(resolve, 20) })
  }

  async close (): Promise<void> {
    for (const namespace of this.#namespaces) await this.#installation.leaveNamespace(namespace)
  }
}
