// Asks a process over HTTP how it is, as a kubelet does.
import { get } from 'node:http'
import { address } from './types.ts'
import type { Probe } from './types.ts'

/** Between two questions to a process that has not said yes yet: a laptop's person waits for it. */
export const eagerMs = 50

/** Does the answer come in time, and is it 200 to 399? Never rejects. */
export async function ask (probe: Probe, ports: Readonly<Record<string, number>>): Promise<boolean> {
  const { path = '/', port: wanted = '' } = probe.httpGet ?? {}
  const port = ports[wanted]
  if (port === undefined) return false
  return await new Promise(resolve => {
    const request = get({ host: address, port, path, agent: false, timeout: (probe.timeoutSeconds ?? 1) * 1000 })
    request.on('response', response => {
      response.resume()
      const { statusCode = 0 } = response
      resolve(statusCode >= 200 && statusCode < 400)
    })
    request.on('timeout', () => { request.destroy() })
    request.on('error', () => { resolve(false) })
  })
}

/** A loop of questions; `onChange` hears when the answer has turned. */
export class Prober {
  readonly #probe: Probe
  readonly #ports: Readonly<Record<string, number>>
  readonly #onChange: (healthy: boolean) => void
  #healthy: boolean
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  /** @param healthy what it is taken for until `failureThreshold` failures, or one success. */
  constructor (probe: Probe, ports: Readonly<Record<string, number>>, healthy: boolean,
    onChange: (healthy: boolean) => void) {
    this.#probe = probe
    this.#ports = ports
    this.#healthy = healthy
    this.#onChange = onChange
    this.#schedule(healthy ? this.#periodMs : 0)
  }

  stop (): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  get #periodMs (): number {
    return (this.#probe.periodSeconds ?? 10) * 1000
  }

  #schedule (afterMs: number): void {
    if (!this.#stopped) this.#timer = setTimeout(() => { void this.#ask() }, afterMs)
  }

  async #ask (): Promise<void> {
    const yes = await ask(this.#probe, this.#ports)
    if (this.#stopped) return
    this.#failures = yes ? 0 : this.#failures + 1
    const healthy = yes || (this.#healthy && this.#failures < (this.#probe.failureThreshold ?? 3))
    const changed = healthy !== this.#healthy
    this.#healthy = healthy
    this.#schedule(healthy ? this.#periodMs : eagerMs)
    if (changed) this.#onChange(healthy)
  }
}
