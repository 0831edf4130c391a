// The ConfigMap's file while the broker runs. What needs no restart is taken over as soon as the kubelet has brought
// the file up to date, which takes it up to about a minute. Kubernetes replaces a folder's link: the file is read, not
// watched (https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically).
import type { Clock, Timer } from '../wire/ports.ts'
import { parseConfig, type BrokerConfig, type Environment } from './config.ts'
import type { Log } from './io/ports.ts'
import { configLookMs } from './limits.ts'

export interface ConfigWatchOptions {
  readonly clock: Clock
  readonly log: Log
  readonly env: Environment
  read (): Promise<string>
  /** Called with each config that differs from the one before. */
  changed (config: BrokerConfig): void
}

/** Answers what ends it. What cannot be read or understood is said once and changes nothing. */
export function watchConfig ({ clock, log, env, read, changed }: ConfigWatchOptions, first: string): () => void {
  let seen = first
  let complained = ''
  let timer: Timer | undefined
  let stopped = false
  const look = async (): Promise<void> => {
    try {
      const text = await read()
      if (text !== seen && !stopped) {
        changed(parseConfig(env, text))
        seen = text
      }
      complained = ''
    } catch (error) {
      const { message } = error as Error
      if (message !== complained) log.error({}, `the settings stay as they are: ${message}`)
      complained = message
    }
    next()
  }
  const next = (): void => {
    if (!stopped) timer = clock.setTimer(configLookMs, () => { void look() })
  }
  next()
  return () => {
    stopped = true
    timer?.cancel()
  }
}
