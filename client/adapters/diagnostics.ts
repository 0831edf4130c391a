// What a client tells, on channels of node:diagnostics_channel: millrace:batch.delivered and so on.
import { channel } from 'node:diagnostics_channel'
import type { Channel } from 'node:diagnostics_channel'
import type { ClientEventName, ClientEvents } from '../events.ts'

const channels = new Map<ClientEventName, Channel>()

export function publish<N extends ClientEventName> (name: N, event: ClientEvents[N]): void {
  let to = channels.get(name)
  if (to === undefined) {
    to = channel(`millrace:${name}`)
    channels.set(name, to)
  }
  if (to.hasSubscribers) to.publish(event)
}
