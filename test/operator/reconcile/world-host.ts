// The Kubernetes below a World: an API, and somebody who plays the nodes. The same suites run on the embedded API
// (`npm test`) and on a real kube-apiserver (`npm run test:kubernetes`), whose host is given by `worldsOn`.
import type { KubeApi as LocalApi } from '../../../local/kube/api.ts'
import type { Faults } from '../../../local/kube/faults.ts'
import type { Credentials } from '../../../operator/kube/credentials.ts'
import { embeddedHost } from './embedded-host.ts'

/** What a World, and a test, does with an API. Reads are as new as the last write that was answered. */
export type WorldApi = Pick<LocalApi, 'url' | 'get' | 'list' | 'create' | 'patch' | 'delete' | 'watch'>

export interface WorldHost {
  readonly kube: WorldApi
  /** Of this World alone. */
  readonly namespace: string
  /** How long what was asked for may take. */
  readonly waitMs: number
  /** Of the operator. */
  credentials (): Promise<Credentials>
  /** @param areReady whether pods that are made now become ready */
  startNodes (areReady: () => boolean): void
  /** Made of `name`; another World's is another. Resolves when pods can be made there. */
  makeNamespace (name: string): Promise<string>
  /** Objects made from now on are younger, by Kubernetes' clock, which counts seconds. */
  nextSecond (): Promise<void>
  close (): Promise<void>
}

/** @param faults of the embedded API; a real one has none to offer */
export type HostMaker = (faults?: Faults) => Promise<WorldHost>

let maker: HostMaker = embeddedHost

export function worldsOn (host: HostMaker): void {
  maker = host
}

export async function makeHost (faults?: Faults): Promise<WorldHost> {
  return await maker(faults)
}
