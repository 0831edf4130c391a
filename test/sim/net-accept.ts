// How the accepting side serves a call.
import { WireError } from '../../wire/errors.ts'
import type { CallContext, Method, Services, Stream, StreamHandlers } from '../../wire/ports.ts'
import type { SimNetwork } from './network.ts'

type StreamService = (stream: Stream<object>, context: CallContext) => StreamHandlers<object>
type UnaryService = (request: object, context: CallContext) => Promise<object>

/** What takes the caller's messages; undefined when the method is not served. */
export function accept (method: Method, services: Services, stream: Stream<object>, callerHost: string,
  network: SimNetwork): StreamHandlers<object> | undefined {
  const context = { peer: `${callerHost}:1` }
  const streams = services.streams as Readonly<Record<string, StreamService | undefined>> | undefined
  const unary = services.unary as Readonly<Record<string, UnaryService | undefined>> | undefined
  const serve = streams?.[method]
  if (serve !== undefined) return serve(stream, context)
  const answer = unary?.[method]
  return answer === undefined ? undefined : serveUnary(answer, stream, context, network)
}

function serveUnary (answer: UnaryService, stream: Stream<object>, context: CallContext,
  network: SimNetwork): StreamHandlers<object> {
  const serve = async (request: object): Promise<void> => {
    try {
      stream.send(await answer(request, context))
      stream.end()
    } catch (error) {
      stream.destroy(toWireError(error, network))
    }
  }
  return {
    message: (request) => {
      const { rng, conditions, counters } = network
      if (conditions.duplicateChance > 0 && rng.chance(conditions.duplicateChance)) {
        // Answered, but the answer is lost with its connection: the request comes again.
        counters.duplicates++
        const again = structuredClone(request)
        answer(request, context).then(() => serve(again), () => serve(again))
      } else void serve(request)
    },
    close: () => {}
  }
}

function toWireError (error: unknown, network: SimNetwork): WireError {
  if (error instanceof WireError) return error
  network.onServiceError?.(error)
  return new WireError('INTERNAL', undefined, {}, { cause: error })
}
