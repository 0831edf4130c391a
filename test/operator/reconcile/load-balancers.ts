// What a cloud does for Services of type LoadBalancer: some time later each has an address, a name or a number.
import type { KubeObject } from '../../../local/kube/api.ts'
import { namespace } from './world.ts'
import type { WorldApi } from './world-host.ts'

export interface Ingress { readonly hostname?: string, readonly ip?: string }

export class LoadBalancers {
  readonly #kube: WorldApi
  readonly #ingressOf: (service: string) => Ingress | undefined
  readonly #stop: () => void
  #work: Promise<void> = Promise.resolve()

  /** @param ingressOf what a Service gets; undefined: it is still being made */
  constructor (kube: WorldApi, ingressOf: (service: string) => Ingress | undefined) {
    this.#kube = kube
    this.#ingressOf = ingressOf
    this.#stop = kube.watch('services', ({ type, object }) => { if (type !== 'DELETED') this.#look(object) })
  }

  /** What was being made may be there now. */
  look (): void {
    for (const service of this.#kube.list('services', { namespace })) this.#look(service)
  }

  #look ({ metadata: { name }, ...rest }: KubeObject): void {
    const { spec, status } = rest as unknown as
      { spec: { type?: string }, status?: { loadBalancer?: { ingress?: Ingress[] } } }
    if (spec.type !== 'LoadBalancer') return
    const ingress = this.#ingressOf(name)
    const wanted = ingress === undefined ? [] : [ingress]
    if (JSON.stringify(status?.loadBalancer?.ingress ?? []) === JSON.stringify(wanted)) return
    this.#work = this.#work.then(async () => {
      if (this.#kube.get('services', namespace, name) === undefined) return
      const changed = { status: { loadBalancer: { ingress: wanted } } }
      await this.#kube.patch('services', namespace, name, changed, { subresource: 'status' })
    })
  }

  async close (): Promise<void> {
    this.#stop()
    await this.#work
  }
}
