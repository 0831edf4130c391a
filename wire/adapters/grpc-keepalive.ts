// Pings of HTTP/2: a peer that has gone without a word, its power lost or the cable cut, leaves calls open for ever.
import type { Http2Session } from 'node:http2'

/** Gives up on the session when a ping has not been answered for `keepaliveMs`; it is pinged twice as often. */
export function keepAlive (session: Http2Session, keepaliveMs: number, giveUp: (error: Error) => void): void {
  let unanswered = 0
  const timer = setInterval(() => {
    if (session.destroyed) return
    // Once may be our own fault: after a stall of this process the timer comes before the answer.
    if (unanswered > 1) return giveUp(new Error(`no sign of life for ${keepaliveMs} ms`))
    if (unanswered++ > 0) return
    session.ping(() => { unanswered = 0 })
  }, keepaliveMs / 2).unref()
  session.once('close', () => { clearInterval(timer) })
}
