// The session service of the peer port: brokers' bonds with the controller, and how they find it.
import type {
  AnnounceControllerRequest, AnnounceControllerResponse, AskControllerRequest, AskControllerResponse, Sent,
  SessionRequest, SessionResponse
} from '../../wire/messages.ts'
import type { Services, Stream, StreamHandlers } from '../../wire/ports.ts'

/** What session/agent.ts answers for its broker. */
export interface SessionEndpoint {
  session (stream: Stream<SessionResponse>): StreamHandlers<SessionRequest>
  askController (request: AskControllerRequest): Sent<AskControllerResponse>
  announceController (request: AnnounceControllerRequest): Sent<AnnounceControllerResponse>
}

export function sessionServices (endpoint: SessionEndpoint): Services {
  return {
    streams: { Session: stream => endpoint.session(stream) },
    unary: {
      AskController: request => Promise.resolve(endpoint.askController(request)),
      AnnounceController: request => Promise.resolve(endpoint.announceController(request))
    }
  }
}
