// The client port's services as one of spec.listeners gives them: whoever asks there is told the addresses of that
// listener, in metadata and where an error says who leads.
import { WireError } from '../../wire/errors.ts'
import type { ErrorDetail, GetMetadataResponse, Sent } from '../../wire/messages.ts'
import type { CallContext, Services, Stream, StreamHandlers } from '../../wire/ports.ts'
import type { ClusterView } from '../session/contract.ts'

type AddressOf = (brokerId: number) => string
type Message = Readonly<Record<string, unknown>>
type OpenStream = (stream: Stream<unknown>, context: CallContext) => StreamHandlers<unknown>
type Call = (request: unknown, context: CallContext) => Promise<Message>

/** @param name of the listener; a broker that has no address there has an empty one */
export function throughListener ({ streams = {}, unary = {} }: Services, name: string,
  view: Pick<ClusterView, 'broker'>): Services {
  const addressOf: AddressOf = id => view.broker(id)?.listeners.find(each => each.name === name)?.address ?? ''
  const opened = Object.entries(streams) as unknown as [string, OpenStream][]
  const called = Object.entries(unary) as unknown as [string, Call][]
  return {
    streams: Object.fromEntries(opened.map(([method, open]): [string, OpenStream] =>
      [method, (stream, context) => open(readdressed(stream, addressOf), context)])),
    unary: Object.fromEntries(called.map(([method, call]): [string, Call] => [method, async (request, context) => {
      try {
        const answer = await call(request, context)
        return method === 'GetMetadata' ? withBrokers(answer, addressOf) : translated(answer, addressOf)
      } catch (error) {
        if (!(error instanceof WireError) || error.detail.leader === undefined) throw error
        throw new WireError(error.code, error.message, pointed(error.detail, addressOf))
      }
    }]))
  } as Services
}

function readdressed (stream: Stream<unknown>, addressOf: AddressOf): Stream<unknown> {
  return {
    send: message => stream.send(translated(message as Message, addressOf)),
    end: () => { stream.end() },
    destroy: error => { stream.destroy(error) },
    pause: () => { stream.pause() },
    resume: () => { stream.resume() }
  }
}

/** Errors are a field of the message, or of entries of a list in it. Most messages have none and stay as they are. */
function translated (message: Message, addressOf: AddressOf): Message {
  let changed: Record<string, unknown> | undefined
  for (const [field, value] of Object.entries(message)) {
    if (field === 'error' && value !== undefined) {
      changed = { ...message, ...changed, error: pointed(value as Sent<ErrorDetail>, addressOf) }
    } else if (Array.isArray(value) && value.some(hasError)) {
      const entries = value.map((entry: Message) => hasError(entry) ? translated(entry, addressOf) : entry)
      changed = { ...message, ...changed, [field]: entries }
    }
  }
  return changed ?? message
}

function hasError (value: unknown): boolean {
  return typeof value === 'object' && value !== null && (value as Message)['error'] !== undefined
}

function pointed<D extends Sent<ErrorDetail>> (detail: D, addressOf: AddressOf): D {
  const { leader, leaderAddress = '' } = detail
  return leader === undefined || leaderAddress === '' ? detail : { ...detail, leaderAddress: addressOf(leader) }
}

function withBrokers (answer: Message, addressOf: AddressOf): Message {
  const { brokers = [] } = answer as Sent<GetMetadataResponse>
  return { ...answer, brokers: brokers.map(broker => ({ ...broker, clientAddress: addressOf(broker.brokerId ?? -1) })) }
}
