// A session of a broker that cannot reach the controller, passed on by one that can: messages go through
// as they are, both ways, and either end ends both.
import { WireError } from '../../wire/errors.ts'
import type { SessionRequest, SessionResponse } from '../../wire/messages.ts'
import type { Clock, Net, Stream, StreamHandlers } from '../../wire/ports.ts'
import { pause } from '../controller/wait.ts'
import * as limits from '../limits.ts'
import type { Self } from './contract.ts'
import type { Whereabouts } from './search.ts'

/** A relayed session looks so often whether it can do without. */
const straightenMs = 5_000

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

export interface Relayed {
  readonly clock: Clock
  readonly net: Net
  readonly self: Self
  readonly where: Whereabouts
  /** The session has ended. */
  isOver (): boolean
}

/** Resolves to true as soon as the controller itself can be reached again, to false when the session is over. */
export async function canDoWithout ({ clock, net, self, where, isOver }: Relayed): Promise<boolean> {
  while (!isOver()) {
    await pause(clock, straightenMs)
    try {
      const { brokerId } =
        await net.call(where.address, 'AskController', { brokerId: self.brokerId }, limits.askControllerMs)
      if (brokerId === where.controller) return !isOver()
    } catch (error) {
      // Still cut off.
      if (!(error instanceof WireError)) throw error
    }
  }
  return false
}
