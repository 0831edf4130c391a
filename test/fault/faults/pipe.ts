// Carries the bytes of one direction of a connection through a gate. A closed gate holds bytes and the end
// alike: a host that is cut off does not learn that the other one has closed or died.
import type { Socket } from 'node:net'
import type { Gate } from './gate.ts'

/** The bytes that are on their way are bounded by the sockets' buffers: reading stops while writing waits. */
export function pipeThrough (from: Socket, to: Socket, gate: Gate): void {
  let lastDueMs = 0
  /** Chunks that are delayed; beyond it reading stops. */
  const delayedMax = 256
  let delayed = 0

  const carry = (chunk: Buffer): void => {
    if (to.destroyed) return
    if (!to.write(chunk)) {
      from.pause()
      to.once('drain', () => { from.resume() })
    }
  }
  const later = (run: () => void): void => {
    const nowMs = performance.now()
    // In order, also when the delay has just become shorter.
    lastDueMs = Math.max(lastDueMs, nowMs + gate.delayMs)
    if (lastDueMs <= nowMs) run()
    else setTimeout(run, lastDueMs - nowMs)
  }
  const pass = (run: () => void): void => {
    gate.whenOpen(() => {
      if (delayed === 0 && gate.delayMs === 0) run()
      else {
        if (++delayed >= delayedMax) from.pause()
        later(() => {
          if (--delayed === delayedMax - 1) from.resume()
          run()
        })
      }
    })
  }

  from.on('data', (chunk: Buffer) => {
    if (gate.isOpen) pass(() => { carry(chunk) })
    else {
      from.pause()
      gate.whenOpen(() => {
        from.resume()
        pass(() => { carry(chunk) })
      })
    }
  })
  from.on('error', () => { /* 'close' follows */ })
  from.on('end', () => { pass(() => { to.end() }) })
  from.on('close', (hadError: boolean) => {
    pass(() => { if (hadError) to.resetAndDestroy(); else to.destroySoon() })
  })
  from.resume()
}
