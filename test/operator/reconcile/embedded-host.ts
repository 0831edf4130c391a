// The embedded Kubernetes API over HTTP, and a StatefulSet controller that makes pods which are ready at once.
import {
  startKubeApi, type KubeApi as LocalApi, type KubeObject as LocalObject, type Writable
} from '../../../local/kube/api.ts'
import type { Faults } from '../../../local/kube/faults.ts'
import { loadCredentials, type Credentials } from '../../../operator/kube/credentials.ts'
import { customResourceDefinition } from '../../../operator/schema/crd.ts'
import { resources } from '../../../operator/schema/resources.ts'
import { readyStatus } from './pod-status.ts'
import type { WorldHost } from './world-host.ts'

const namespace = 'default'

export async function embeddedHost (faults?: Faults): Promise<WorldHost> {
  const ahead = { ms: 0 }
  const clock = { wallTime: () => Date.now() + ahead.ms }
  const kube = await startKubeApi(faults === undefined ? { clock } : { clock, faults })
  for (const resource of resources) {
    const definition = customResourceDefinition(resource) as Writable
    await kube.create('customresourcedefinitions.apiextensions.k8s.io', definition)
  }
  return new EmbeddedHost(kube, ahead)
}

export class EmbeddedHost implements WorldHost {
  readonly kube: LocalApi
  readonly namespace = namespace
  readonly waitMs = 10_000
  /** The StatefulSet controller is away while this is true; `makePods` is called when it is back. */
  isAway = false
  /** Where pods that are made now run; unset: on no node, so that they go at once when they are deleted. */
  nodeOf: ((ordinal: number) => string) | undefined
  readonly #ahead: { ms: number }
  #areReady: () => boolean = () => true
  #stopWatching: (() => void)[] = []
  /** One change of pods after the other. */
  #work: Promise<void> = Promise.resolve()

  constructor (kube: LocalApi, ahead: { ms: number }) {
    this.kube = kube
    this.#ahead = ahead
  }

  async credentials (): Promise<Credentials> {
    return await loadCredentials({ MILLRACE_KUBE: this.kube.url })
  }

  startNodes (areReady: () => boolean): void {
    this.#areReady = areReady
    this.#stopWatching = [
      this.kube.watch('statefulsets.apps', ({ type, object }) => {
        if (type !== 'DELETED') this.#makePodsSoon(object.metadata.namespace, object.metadata.name)
      }),
      this.kube.watch('pods', ({ type, object }) => {
        const { namespace, ownerReferences: [owner] = [] } = object.metadata
        if (type === 'DELETED') this.#makePodsSoon(namespace, owner?.name ?? '')
      })
    ]
  }

  makePods (): void {
    for (const { metadata } of this.kube.list('statefulsets.apps')) {
      this.#makePodsSoon(metadata.namespace, metadata.name)
    }
  }

  async makeNamespace (name: string): Promise<string> {
    await this.kube.create('namespaces', { metadata: { name } })
    return name
  }

  async nextSecond (): Promise<void> {
    this.#ahead.ms += 1_000
  }

  async close (): Promise<void> {
    for (const stop of this.#stopWatching) stop()
    await this.#work
    await this.kube.close()
  }

  #makePodsSoon (namespace: string | undefined, statefulSet: string): void {
    this.#work = this.#work.then(async () => {
      const set = this.kube.get('statefulsets.apps', namespace, statefulSet)
      if (set !== undefined && !this.isAway) await this.#makePods(set)
    })
  }

  /** As a StatefulSet controller does: pods above the number of replicas go. */
  async #removePods (set: LocalObject, replicas: number): Promise<void> {
    const { namespace = '' } = set.metadata
    for (const pod of this.kube.list('pods', { namespace })) {
      const isOwn = pod.metadata.ownerReferences?.some(({ uid }) => uid === set.metadata.uid) === true
      const ordinal = Number(/-([0-9]+)$/.exec(pod.metadata.name)![1])
      if (isOwn && ordinal >= replicas) await this.kube.delete('pods', namespace, pod.metadata.name)
    }
  }

  async #makePods (set: LocalObject): Promise<void> {
    const { replicas, template, volumeClaimTemplates } = set['spec'] as
      { replicas: number, template: LocalObject, volumeClaimTemplates: LocalObject[] }
    const { namespace, deletionTimestamp } = set.metadata
    if (deletionTimestamp !== undefined || this.#isEnding(namespace)) return
    await this.#removePods(set, replicas)
    for (let ordinal = 0; ordinal < replicas; ordinal++) {
      const name = `${set.metadata.name}-${ordinal}`
      if (this.kube.get('pods', namespace, name) !== undefined) continue
      const [claim] = volumeClaimTemplates
      const claimName = `${claim!.metadata.name}-${name}`
      await this.#createUnlessThere('persistentvolumeclaims', {
        ...claim!, metadata: { ...claim!.metadata, name: claimName, namespace }
      })
      await this.kube.patch('persistentvolumeclaims', namespace, claimName, { status: { phase: 'Bound' } },
        { subresource: 'status' })
      await this.#createUnlessThere('pods', {
        metadata: {
          ...template.metadata,
          name,
          namespace,
          ownerReferences: [{
            apiVersion: 'apps/v1',
            kind: 'StatefulSet',
            name: set.metadata.name,
            uid: set.metadata.uid!,
            controller: true
          }]
        },
        spec: {
          ...withVolume(template['spec'] as PodSpec, claim!.metadata.name, name),
          ...this.nodeOf !== undefined && { nodeName: this.nodeOf(ordinal) }
        }
      })
      if (this.#areReady()) {
        await this.kube.patch('pods', namespace, name, { status: readyStatus(true) }, { subresource: 'status' })
      }
    }
    await this.#noteSeen(set)
  }

  async #noteSeen ({ metadata: { namespace, name, generation }, status }: LocalObject): Promise<void> {
    if ((status as { observedGeneration?: number } | undefined)?.observedGeneration === generation) return
    await this.kube.patch('statefulsets.apps', namespace, name, { status: { observedGeneration: generation } },
      { subresource: 'status' })
  }

  /** Nothing can be made in it any more. */
  #isEnding (namespace: string | undefined): boolean {
    return this.kube.get('namespaces', undefined, namespace ?? '')?.metadata.deletionTimestamp !== undefined
  }

  async #createUnlessThere (resource: string, object: Writable): Promise<void> {
    const { namespace, name = '' } = object.metadata
    if (this.kube.get(resource, namespace, name) === undefined) await this.kube.create(resource, object)
  }
}

interface PodSpec { readonly volumes: readonly object[] }

function withVolume (spec: PodSpec, claim: string, pod: string): object {
  const volume = { name: claim, persistentVolumeClaim: { claimName: `${claim}-${pod}` } }
  return { ...spec, volumes: [...spec.volumes, volume] }
}
