// Runs every pod that the API has, as one process each.
import { join } from 'node:path'
import type { Program } from '../child.ts'
import type { KubeObject, LogOptions } from '../kube/api.ts'
import { ApiError } from '../kube/api.ts'
import { PodLog } from './pod-log.ts'
import { PodWorker } from './pod-worker.ts'
import { keyOf, portsOf } from './types.ts'
import type { Container, Pod, PodApi } from './types.ts'
import { folderName, Volumes } from './volumes.ts'

export interface PodRunnerOptions {
  readonly api: PodApi
  /** Where a pod's process finds the API, if not where we do: http://host:port. */
  readonly kubeUrl?: (pod: Pod) => Promise<string>
  readonly dataFolder: string
  /** The program that plays the container's image; undefined for one that is not ours. */
  readonly program: (container: Container) => Program | undefined
  readonly onError: (key: string, error: unknown) => void
  /** Hears how each process of a pod has ended, also one that is started again. */
  readonly onEnd?: (key: string, pid: number, how: string) => void
}

const graceSecondsDefault = 30

export class PodRunner {
  readonly #options: PodRunnerOptions
  readonly #volumes: Volumes
  readonly #workers = new Map<string, PodWorker>()
  /** By pod: the uid of the one that runs, or will as soon as the one before it has ended. */
  readonly #begun = new Map<string, string>()
  /** By pod: resolves when no process of any pod of that name runs. */
  readonly #ended = new Map<string, Promise<void>>()
  readonly #logs = new Map<string, PodLog>()
  /** By pod: the ports of its last process. */
  readonly #ports = new Map<string, Readonly<Record<string, number>>>()
  readonly #ends: (() => void)[]
  #stopped = false

  constructor (options: PodRunnerOptions) {
    const { api, dataFolder, onError } = options
    this.#options = options
    this.#volumes = new Volumes(api, dataFolder, key => this.#claimUnused(key), onError)
    api.onLogs((pod, logOptions) => this.#readLog(pod, logOptions))
    this.#ends = [
      api.watch('pods', ({ type, object }) => { this.#onPod(type === 'DELETED', object as Pod) }),
      api.watch('configmaps', ({ type, object }) => { if (type === 'MODIFIED') this.#onConfigMap(object) })
    ]
  }

  /** Which of a pod's processes runs now, if any: also one that is not ready. */
  isRunning (pod: KubeObject): boolean {
    const worker = this.#workers.get(keyOf(pod))
    return worker?.uid === pod.metadata.uid && worker?.isRunning === true
  }

  /** Stops every process, all together; SIGKILL for those that are not gone after graceMs. */
  async stop (graceMs: number): Promise<void> {
    this.#stopped = true
    for (const end of this.#ends) end()
    for (const worker of this.#workers.values()) worker.stop(graceMs)
    await Promise.all(this.#ended.values())
    await this.#volumes.stop()
    for (const log of this.#logs.values()) log.close()
  }

  #onPod (deleted: boolean, pod: Pod): void {
    const key = keyOf(pod)
    const worker = this.#workers.get(key)
    const { uid = '', deletionTimestamp } = pod.metadata
    if (deleted) {
      // --force: whoever deletes so does not wait, and the next pod of that name waits for the process.
      if (worker?.uid === uid) worker.stop(0)
      if (this.#begun.get(key) === uid) this.#begun.delete(key)
    } else if (this.#begun.get(key) !== uid) {
      worker?.stop(0)
      this.#begun.set(key, uid)
      this.#begin(key, pod)
    } else if (worker?.uid === uid) {
      worker.update(pod)
      if (deletionTimestamp !== undefined) worker.stop(graceMs(pod))
    }
  }

  #begin (key: string, pod: Pod): void {
    const { phase } = pod.status ?? {}
    if (phase === 'Failed' || phase === 'Succeeded') return
    const before = this.#ended.get(key) ?? Promise.resolve()
    const ended = before.then(async () => {
      // What has happened to the pod while the process of the one before it ended?
      const { namespace, name, uid } = pod.metadata
      const current = this.#options.api.get('pods', namespace, name) as Pod | undefined
      if (this.#stopped || current === undefined || current.metadata.uid !== uid) return
      if (current.metadata.deletionTimestamp === undefined) await this.#work(key, current)
      this.#remove(current)
    }).catch((error: unknown) => { this.#options.onError(key, error) })
    this.#ended.set(key, ended)
  }

  async #work (key: string, pod: Pod): Promise<void> {
    const { api, kubeUrl = async () => api.url, onEnd, program } = this.#options
    const restarted = pod.status?.containerStatuses !== undefined
    if (!restarted) await this.#volumes.forget(pod)
    const worker = new PodWorker(pod, {
      api,
      kubeUrl,
      program,
      volumes: this.#volumes,
      log: this.#log(key),
      onEnd: (pid, how) => { onEnd?.(key, pid, how) },
      ports: this.#ports.get(key) ?? portsOf(pod)
    })
    this.#workers.set(key, worker)
    await worker.ended
    this.#ports.set(key, worker.ports)
    this.#workers.delete(key)
  }

  /** The process is gone: a pod that was to be deleted is. */
  #remove (pod: Pod): void {
    if (this.#stopped) return
    const { namespace, name, uid = '' } = pod.metadata
    this.#options.api.delete('pods', namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } })
      .catch((error: unknown) => {
        if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) {
          this.#options.onError(keyOf(pod), error)
        }
      })
  }

  #onConfigMap (map: KubeObject): void {
    for (const { pod } of this.#workers.values()) {
      if (pod.metadata.namespace !== map.metadata.namespace) continue
      this.#volumes.refresh(pod, map.metadata.name).catch((error: unknown) => {
        this.#options.onError(keyOf(pod), error)
      })
    }
  }

  async #claimUnused (claimKey: string): Promise<void> {
    const users = [...this.#workers.entries()].filter(([, { pod }]) => pod.spec.volumes?.some(volume =>
      `${pod.metadata.namespace ?? 'default'}/${volume.persistentVolumeClaim?.claimName ?? ''}` === claimKey))
    await Promise.all(users.map(([key]) => this.#ended.get(key) ?? Promise.resolve()))
  }

  #log (key: string): PodLog {
    let log = this.#logs.get(key)
    if (log === undefined) {
      log = new PodLog(join(this.#options.dataFolder, 'logs', `${folderName(key)}.log`))
      this.#logs.set(key, log)
    }
    return log
  }

  #readLog (pod: KubeObject, options: LogOptions): AsyncIterable<string> {
    const log = this.#logs.get(keyOf(pod))
    if (log === undefined) {
      throw new ApiError(400, 'BadRequest', `the container of ${pod.metadata.name} has not started`)
    }
    return log.read(options)
  }
}

function graceMs (pod: Pod): number {
  const { metadata, spec } = pod
  return (metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? graceSecondsDefault) * 1000
}
