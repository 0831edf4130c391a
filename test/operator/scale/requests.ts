// Counts what clients ask of the embedded Kubernetes API, where it arrives: `update leases.coordination.k8s.io`.
import type { Fault, FaultRequest, Faults } from '../../../local/kube/faults.ts'

const writeVerbs: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'apply', 'delete', 'deletecollection'])
/** An operator holds its own Lease by writing it, whatever else there is to do. */
const lease = 'leases.coordination.k8s.io'

export class Requests implements Faults {
  readonly #counts = new Map<string, number>()

  onRequest ({ verb, resource, subresource, name }: FaultRequest): Fault | undefined {
    const place = resource === lease && name === 'millrace-operator' ? 'its own Lease' : resource
    const key = `${verb} ${place}${subresource === undefined ? '' : `/${subresource}`}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    return undefined
  }

  reset (): void {
    this.#counts.clear()
  }

  /** But for the operator's own Lease. */
  get writes (): number {
    return this.#sum(verb => writeVerbs.has(verb))
  }

  /** But for the operator's own Lease; watches are none. */
  get reads (): number {
    return this.#sum(verb => verb === 'get' || verb === 'list')
  }

  get lease (): number {
    return [...this.#counts].filter(([key]) => key.endsWith('its own Lease')).reduce((sum, [, count]) => sum + count, 0)
  }

  count (request: string): number {
    return this.#counts.get(request) ?? 0
  }

  /** Most first. */
  all (): [string, number][] {
    return [...this.#counts].sort(([, a], [, b]) => b - a)
  }

  #sum (counts: (verb: string) => boolean): number {
    return [...this.#counts].filter(([key]) => counts(key.split(' ')[0]!) && !key.endsWith('its own Lease'))
      .reduce((sum, [, count]) => sum + count, 0)
  }
}
