// One pod: its process, which is started again whenever it ends, its probes, its status.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { startChild } from '../child.ts'
import type { Program } from '../child.ts'
import { ApiError } from '../kube/api.ts'
import { choosePorts } from './free-ports.ts'
import { podEnvironment } from './pod-environment.ts'
import type { PodLog } from './pod-log.ts'
import { podStatus } from './pod-status.ts'
import type { ContainerState, PodState, Terminated } from './pod-status.ts'
import { Prober } from './probe.ts'
import { pidAnnotation, portsAnnotation } from './types.ts'
import type { Container, Pod, PodApi, Probe } from './types.ts'
import type { Volumes } from './volumes.ts'

export interface WorkerOptions {
  readonly api: PodApi
  readonly kubeUrl: (pod: Pod) => Promise<string>
  readonly volumes: Volumes
  readonly log: PodLog
  /** The program that plays the container's image; undefined for one that is not ours. */
  readonly program: (container: Container) => Program | undefined
  /** Ports that the pod had before, kept where they are free. */
  readonly ports: Readonly<Record<string, number>>
  readonly onEnd: (pid: number, how: string) => void
}

/** A process that lived so long is started again at once; a shorter life costs a pause. */
const healthyLifeMs = 2_000
/** Less than the second within which a dead process must be back. */
const pauseMsMax = 600
const pauseMsFirst = 50
const reportPauseMs = 200

export class PodWorker {
  readonly #options: WorkerOptions
  readonly #container: Container
  readonly #since = timestamp()
  #pod: Pod
  #ports: Record<string, number>
  #child: ChildProcess | undefined
  #probers: Prober[] = []
  #state: PodState
  #failures = 0
  #stopping = false
  #wake = (): void => {}
  #reporting = false
  #reportAgain = false
  /** Resolves when the process is gone for good. */
  readonly ended: Promise<void>

  constructor (pod: Pod, options: WorkerOptions) {
    const [container] = pod.spec.containers
    if (container === undefined) throw new Error('a pod has a container')
    this.#pod = pod
    this.#container = container
    this.#options = options
    this.#ports = { ...options.ports }
    const before = pod.status?.containerStatuses?.[0]
    this.#state = {
      container: { waiting: { reason: 'ContainerCreating' } },
      last: undefined,
      // Found running: its process died with the last one that ran pods here.
      restarts: before === undefined ? 0 : before.restartCount + 1,
      started: false,
      ready: false,
      since: this.#since
    }
    this.ended = this.#run()
  }

  get uid (): string { return this.#pod.metadata.uid ?? '' }
  get pod (): Pod { return this.#pod }
  get ports (): Readonly<Record<string, number>> { return this.#ports }
  get isRunning (): boolean { return this.#child !== undefined }

  /** The object has changed. */
  update (pod: Pod): void {
    this.#pod = pod
  }

  /** SIGTERM, and SIGKILL when it is not gone after graceMs. Idempotent; a shorter time counts. */
  stop (graceMs: number): void {
    if (!this.#stopping) {
      this.#stopping = true
      for (const prober of this.#probers) prober.stop()
      this.#set({ ready: false })
      if (graceMs > 0) this.#child?.kill('SIGTERM')
      this.#wake()
    }
    const child = this.#child
    if (graceMs <= 0) child?.kill('SIGKILL')
    else {
      const timer = setTimeout(() => { child?.kill('SIGKILL') }, graceMs)
      void this.ended.then(() => { clearTimeout(timer) })
    }
  }

  async #run (): Promise<void> {
    const program = this.#options.program(this.#container)
    if (program === undefined) {
      this.#set({ container: waiting('ErrImageNeverPull', 'only the programs of millrace run as local pods') })
      await this.#pause(Infinity)
      return
    }
    while (!this.#stopping) {
      const startedAt = performance.now()
      try {
        await this.#live(program)
      } catch (error) {
        this.#set({ container: waiting('CreateContainerConfigError', (error as Error).message) })
      }
      this.#failures = performance.now() - startedAt > healthyLifeMs ? 0 : this.#failures + 1
      if (this.#failures > 0) await this.#pause(Math.min(pauseMsFirst * 2 ** this.#failures, pauseMsMax))
    }
  }

  /** One life of the process. Rejects when it cannot be started. */
  async #live (program: Program): Promise<void> {
    const { volumes, log } = this.#options
    const folders = await volumes.mount(this.#pod, this.#container)
    const named = (this.#container.ports ?? []).flatMap(({ name }) => name === undefined ? [] : [name])
    this.#ports = await choosePorts(named, this.#ports)
    const kubeUrl = await this.#options.kubeUrl(this.#pod)
    const env = podEnvironment(this.#pod, this.#container, { ports: this.#ports, folders, kubeUrl })
    if (this.#stopping) return
    log.rotate()
    const child = startChild(program, env, chunk => { log.write(chunk) })
    if (child.pid === undefined) throw await once(child, 'error').then(([error]) => error as Error)
    this.#child = child
    const startedAt = timestamp()
    this.#annotate({ [pidAnnotation]: String(child.pid), [portsAnnotation]: JSON.stringify(this.#ports) })
    this.#set({ container: { running: { startedAt } } })
    this.#probe()
    const [code, signal] = await once(child, 'exit') as [number | null, NodeJS.Signals | null]
    this.#child = undefined
    this.#options.onEnd(child.pid, signal ?? `exit code ${code ?? 0}`)
    for (const prober of this.#probers) prober.stop()
    const last = terminated(code, signal, startedAt)
    this.#set({
      container: this.#stopping ? { terminated: last } : waiting('CrashLoopBackOff', undefined),
      last: this.#stopping ? this.#state.last : last,
      restarts: this.#state.restarts + (this.#stopping ? 0 : 1),
      started: false,
      ready: false
    })
  }

  #probe (): void {
    const { startupProbe } = this.#container
    this.#probers = []
    if (startupProbe === undefined) {
      this.#started()
      return
    }
    const prober = this.#watch(startupProbe, false, () => {
      prober.stop()
      this.#started()
    })
  }

  /** Now the other probes count. */
  #started (): void {
    const { readinessProbe, livenessProbe } = this.#container
    this.#set({ started: true, ready: readinessProbe === undefined })
    if (readinessProbe !== undefined) this.#watch(readinessProbe, false, ready => { this.#set({ ready }) })
    if (livenessProbe !== undefined) {
      this.#watch(livenessProbe, true, alive => { if (!alive) this.#child?.kill('SIGKILL') })
    }
  }

  #watch (probe: Probe, healthy: boolean, onChange: (yes: boolean) => void): Prober {
    const prober = new Prober(probe, this.#ports, healthy, onChange)
    this.#probers.push(prober)
    return prober
  }

  async #pause (ms: number): Promise<void> {
    if (this.#stopping) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const timer = Number.isFinite(ms) ? setTimeout(resolve, ms) : undefined
    await promise
    clearTimeout(timer)
  }

  #annotate (annotations: Record<string, string>): void {
    const { namespace, name } = this.#pod.metadata
    this.#options.api.patch('pods', namespace, name, { metadata: { uid: this.uid, annotations } })
      .catch((error: unknown) => { this.#failed(error) })
  }

  #set (change: Partial<PodState>): void {
    this.#state = { ...this.#state, ...change }
    this.#reportAgain = true
    if (!this.#reporting) void this.#report()
  }

  /** One write at a time, with what is true when it begins. */
  async #report (): Promise<void> {
    this.#reporting = true
    await Promise.resolve()
    while (this.#reportAgain) {
      this.#reportAgain = false
      const { namespace, name } = this.#pod.metadata
      const status = podStatus(this.#pod, this.#container, this.#state, timestamp())
      try {
        await this.#options.api.patch('pods', namespace, name, { metadata: { uid: this.uid }, status },
          { subresource: 'status' })
      } catch (error) {
        if (this.#failed(error)) continue
        this.#reportAgain = true
        await new Promise(resolve => setTimeout(resolve, reportPauseMs))
      }
    }
    this.#reporting = false
  }

  /** True when the pod is gone, or is another by now: then nobody wants to know. */
  #failed (error: unknown): boolean {
    if (error instanceof ApiError && (error.code === 404 || error.code === 409)) return true
    this.#options.log.write(Buffer.from(`% status of the pod: ${(error as Error).message}\n`))
    return this.#stopping
  }
}

function waiting (reason: string, message: string | undefined): ContainerState {
  return { waiting: { reason, ...message !== undefined && { message } } }
}

function terminated (code: number | null, signal: NodeJS.Signals | null, startedAt: string): Terminated {
  const number = signal === null ? 0 : constants.signals[signal]
  const exitCode = code ?? 128 + number
  return {
    exitCode,
    ...number > 0 && { signal: number },
    reason: exitCode === 0 ? 'Completed' : 'Error',
    startedAt,
    finishedAt: timestamp()
  }
}

/** As Kubernetes writes times: whole seconds. */
function timestamp (): string {
  return `${new Date().toISOString().slice(0, 19)}Z`
}
