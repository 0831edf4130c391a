// A client that dies: nothing more is heard of it.
import type { Net } from '../../wire/ports.ts'

/** A network that a process can be cut off from, as by its death; or on which its calls of one kind are late. */
export function mortal (net: Net): Net & { die (): void, hold (method: string): () => void } {
  const held = new Map<string, Promise<void>>()
  const streams = new Set<{ destroy (): void }>()
  let dead = false
  return {
    open: (address, method, handlers) => {
      const stream = net.open(address, method, {
        message: message => { if (!dead) handlers.message(message) },
        drain: () => { handlers.drain?.() },
        close: error => { if (!dead) handlers.close(error) }
      })
      streams.add(stream)
      return { ...stream, send: message => dead || stream.send(message) }
    },
    call: async (address, method, request, timeoutMs) => {
      if (dead) return await new Promise(() => {})
      await held.get(method)
      return await net.call(address, method, request, timeoutMs)
    },
    listen: (address, services) => net.listen(address, services),
    identify: cluster => { net.identify(cluster) },
    forget: () => {},
    close: () => Promise.resolve(),
    /** Until the function that it gives is called. */
    hold: method => {
      const { promise, resolve } = Promise.withResolvers<void>()
      held.set(method, promise)
      return () => {
        held.delete(method)
        resolve()
      }
    },
    die: () => {
      dead = true
      for (const stream of streams) stream.destroy()
    }
  }
}
