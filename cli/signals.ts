// SIGINT and SIGTERM end a command in good order; a second one ends it at once.

export interface Interruption {
  /** Aborted at the first signal. */
  readonly signal: AbortSignal
  /** 128 + the signal's number once there was one, as shells count. */
  exitCode (): number | undefined
  stop (): void
}

const numbers = { SIGINT: 2, SIGTERM: 15 } as const

export function interruption (): Interruption {
  const controller = new AbortController()
  let exitCode: number | undefined
  const on = (name: 'SIGINT' | 'SIGTERM'): void => {
    if (exitCode !== undefined) {
      stop()
      process.kill(process.pid, name)
      return
    }
    exitCode = 128 + numbers[name]
    controller.abort()
  }
  const stop = (): void => {
    process.off('SIGINT', on)
    process.off('SIGTERM', on)
  }
  process.on('SIGINT', on)
  process.on('SIGTERM', on)
  return {
    signal: controller.signal,
    exitCode: () => exitCode,
    stop
  }
}
