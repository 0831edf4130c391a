// Errors between WireError and gRPC: the status says roughly what happened, a binary trailer carries the
// ErrorDetail, so that the other side restores the same WireError.
import { Metadata, status } from '@grpc/grpc-js'
import type { StatusObject } from '@grpc/grpc-js'
import { errorTable, WireError } from '../errors.ts'
import { ErrorDetail } from './descriptors.ts'

const trailerName = 'millrace-error-bin'
/** Trailers are headers of HTTP/2, of which a peer accepts only so much. */
const messageLengthMax = 1024

export function toStatus (error: WireError): StatusObject {
  const message = error.message.slice(0, messageLengthMax).toWellFormed()
  const metadata = new Metadata()
  metadata.set(trailerName, ErrorDetail.encode({ ...error.toDetail(), message }))
  return { code: errorTable[error.code].grpc, details: message, metadata }
}

/** What a handler threw or rejected with, as the caller shall see it. */
export function toWireError (reason: unknown): WireError {
  if (reason instanceof WireError) return reason
  return new WireError('INTERNAL', undefined, {}, { cause: reason })
}

/** @param address that was called, for the message. */
export function fromStatus ({ code, details, metadata }: StatusObject, address: string): WireError {
  const trailer = metadata.get(trailerName)[0]
  if (Buffer.isBuffer(trailer)) return fromTrailer(trailer)
  const text = `${address}: ${details}`
  switch (code) {
    case status.UNAVAILABLE: return unavailable(details, address)
    case status.DEADLINE_EXCEEDED: return new WireError('TIMED_OUT', `${address} did not answer in time`)
    case status.UNIMPLEMENTED: return new WireError('UNIMPLEMENTED', text)
    // grpc-js answers so when a message is over its limit, and for HTTP/2 ENHANCE_YOUR_CALM.
    case status.RESOURCE_EXHAUSTED:
      return new WireError(/larger than max/.test(details) ? 'RECORD_TOO_LARGE' : 'BROKER_BUSY', text)
    case status.INVALID_ARGUMENT: return new WireError('INVALID_REQUEST', text)
    // The stream was reset without a word: which code HTTP/2 gives is chance when a process dies.
    case status.CANCELLED: return new WireError('UNAVAILABLE', text)
    default:
      return new WireError(/RST_STREAM|Call ended without/.test(details) ? 'UNAVAILABLE' : 'INTERNAL', text)
  }
}

function fromTrailer (trailer: Buffer): WireError {
  try {
    return WireError.fromDetail(ErrorDetail.decode(trailer))
  } catch (error) {
    return new WireError('INTERNAL', 'an error that cannot be read', {}, { cause: error })
  }
}

function unavailable (details: string, address: string): WireError {
  if (details.includes('ECONNREFUSED')) return new WireError('CONNECTION_REFUSED', `nobody listens at ${address}`)
  const reason = /^No connection established\. Last error: (?:Error: )?(.*?)(?: \(\d{4}-.*)?$/.exec(details)?.[1]
  return new WireError('UNAVAILABLE', `${address}: ${reason ?? details}`)
}
