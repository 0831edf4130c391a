// Session streams that arrive while this broker is taking the office: kept until it has it, or has not.
import { WireError } from '../../wire/errors.ts'
import type { SessionRequest, SessionResponse } from '../../wire/messages.ts'
import type { Stream, StreamHandlers } from '../../wire/ports.ts'
import * as limits from '../limits.ts'

type Handlers = StreamHandlers<SessionRequest>

interface Guest {
  readonly stream: Stream<SessionResponse>
  readonly messages: SessionRequest[]
  handlers: Handlers | undefined
  closed: boolean
}

/** What a broker sends unasked within the time that a takeover takes: Register, heartbeats, reports. */
const messagesMax = 100

export class WaitingRoom {
  readonly #guests = new Set<Guest>()

  session (stream: Stream<SessionResponse>): Handlers {
    if (this.#guests.size >= limits.brokersMax) return refuse(stream, '')
    const guest: Guest = { stream, messages: [], handlers: undefined, closed: false }
    this.#guests.add(guest)
    return {
      message: message => {
        if (guest.handlers !== undefined) guest.handlers.message(message)
        else if (guest.messages.push(message) > messagesMax) stream.destroy(new WireError('BROKER_BUSY'))
      },
      drain: () => { guest.handlers?.drain?.() },
      close: error => {
        guest.closed = true
        this.#guests.delete(guest)
        guest.handlers?.close(error)
      }
    }
  }

  /** The office is taken: `receive` gets every stream, and what came on it. */
  admit (receive: (stream: Stream<SessionResponse>) => Handlers): void {
    for (const guest of this.#guests) {
      if (guest.closed) continue
      guest.handlers = receive(guest.stream)
      for (const message of guest.messages) guest.handlers.message(message)
      guest.messages.length = 0
    }
    this.#guests.clear()
  }

  /** Somebody else was faster, as far as is known at `address`. */
  sendAway (address: string): void {
    for (const { stream } of this.#guests) refuse(stream, address)
    this.#guests.clear()
  }
}

/** Waits for the first message of a stream, then gives it and all else to what `choose` answers. */
export function afterFirst (choose: (first: SessionRequest) => Handlers): Handlers {
  let chosen: Handlers | undefined
  return {
    message: message => {
      if (chosen === undefined) chosen = choose(message)
      else chosen.message(message)
    },
    drain: () => { chosen?.drain?.() },
    close: error => { chosen?.close(error) }
  }
}

/** Says that this broker is not the controller, and ends the stream. */
export function refuse (stream: Stream<SessionResponse>, controllerAddress: string): Handlers {
  const error = new WireError('NOT_CONTROLLER', undefined, { controllerAddress })
  stream.send({ registered: { error: error.toDetail() } })
  stream.end()
  return { message: () => {}, close: () => {} }
}
