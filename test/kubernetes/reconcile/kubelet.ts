// Plays the kubelet of pods that nothing runs in: those that the scheduler has placed are ready at once, those that
// are to end have ended at once.
import { ApiError, type KubeObject } from '../../../local/kube/api.ts'
import { readyStatus } from '../../operator/reconcile/pod-status.ts'
import type { WorldApi } from '../../operator/reconcile/world-host.ts'

export class Kubelet {
  /** Whether pods that are placed now become ready. */
  areReady: () => boolean = () => true
  readonly #api: WorldApi
  readonly #stop: () => void
  readonly #started = new Set<string>()
  readonly #ended = new Set<string>()
  readonly #work = new Set<Promise<void>>()

  constructor (api: WorldApi) {
    this.#api = api
    this.#stop = api.watch('pods', ({ type, object }) => { if (type !== 'DELETED') this.#look(object) })
  }

  async stop (): Promise<void> {
    this.#stop()
    await Promise.all(this.#work)
  }

  #look (pod: KubeObject): void {
    const { name, namespace, uid = '', deletionTimestamp } = pod.metadata
    if ((pod['spec'] as { nodeName?: string }).nodeName === undefined) return
    if (deletionTimestamp !== undefined) {
      if (this.#ended.has(uid)) return
      this.#ended.add(uid)
      this.#do(this.#api.delete('pods', namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } }))
    } else if (!this.#started.has(uid)) {
      this.#started.add(uid)
      if (!this.areReady()) return
      this.#do(this.#api.patch('pods', namespace, name, { metadata: { uid }, status: readyStatus(true) },
        { subresource: 'status' }))
    }
  }

  #do (request: Promise<unknown>): void {
    const done: Promise<void> = request.then(() => {}, (error: unknown) => {
      // It is gone, or another of its name is there.
      if (!(error instanceof ApiError) || ![404, 409].includes(error.code)) throw error
    }).finally(() => { this.#work.delete(done) })
    this.#work.add(done)
  }
}
