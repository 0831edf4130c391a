// How processes join their group, whatever is broken meanwhile.
import { MillraceError } from '../../../client/index.ts'
import { pause } from './clock.ts'

/** Tries again what passes by itself, until `ended`. */
export async function subscribed (subscribe: () => Promise<void>, ended: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await subscribe()
      return
    } catch (error) {
      if (ended.aborted) return
      if (!(error instanceof MillraceError && error.retriable)) throw error
      await pause(200)
    }
  }
}
