// A session of a broker that cannot reach the controller, passed on by one that can: messages go through
// as they are, both ways, and either end ends both.
import type { SessionRequest, SessionResponse } from '../../wire/messages.ts'
import type { Net, Stream, StreamHandlers } from '../../wire/ports.ts'

/**
 * @param stream of the broker that is cut off
 * @param first its Register
 * @param address of the controller
 */
export function relaySession (net: Net, address: string, stream: Stream<SessionResponse>,
  first: SessionRequest): StreamHandlers<SessionRequest> {
  const onward = net.open(address, 'Session', {
    message: message => { if (!stream.send(message)) onward.pause() },
    drain: () => { stream.resume() },
    close: error => {
      if (error === undefined) stream.end()
      else stream.destroy(error)
    }
  })
  onward.send({ ...first, ...first.register !== undefined && { register: { ...first.register, relay: false } } })
  return {
    message: message => { if (!onward.send(message)) stream.pause() },
    drain: () => { onward.resume() },
    close: error => {
      if (error === undefined) onward.end()
      else onward.destroy(error)
    }
  }
}
