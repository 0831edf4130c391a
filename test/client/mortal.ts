// A client that dies: nothing more is heard of it.
import type { Net } from '../../wire/ports.ts'

/** A network that a process can be cut off from, as by its death. */
export function mortal (net: Net): Net & { die (): void } {
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
      return await net.call(address, method, request, timeoutMs)
    },
    listen: (address, services) => net.listen(address, services),
    forget: () => {},
    close: () => Promise.resolve(),
    die: () => {
      dead = true
      for (const stream of streams) stream.destroy()
    }
  }
}
