// Errors between WireError and gRPC: the status says roughly what happened, a binary trailer carries the
// ErrorDetail, so that the other side restores the same WireError.
import { constants } from 'node:http2'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { errorTable, WireError } from '../errors.ts'
import { ErrorDetail } from './descriptors.ts'

const detailName = 'millrace-error-bin'
/** Trailers are headers of HTTP/2, of which a peer accepts only so much. */
const messageLengthMax = 1_024
const okStatus = '0'
// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
const statuses: Partial<Record<string, 'CANCELLED' | 'INVALID_REQUEST' | 'TIMED_OUT' | 'BROKER_BUSY' | 'UNIMPLEMENTED' |
  'UNAVAILABLE'>> = {
    1: 'UNAVAILABLE', 3: 'INVALID_REQUEST', 4: 'TIMED_OUT', 8: 'BROKER_BUSY', 12: 'UNIMPLEMENTED', 14: 'UNAVAILABLE'
  }

export function toTrailers (error: WireError | undefined): OutgoingHttpHeaders {
  if (error === undefined) return { 'grpc-status': okStatus }
  const message = error.message.slice(0, messageLengthMax).toWellFormed()
  return {
    'grpc-status': String(errorTable[error.code].grpc),
    'grpc-message': encodeURIComponent(message),
    [detailName]: ErrorDetail.encode({ ...error.toDetail(), message }).toString('base64')
  }
}

/** What a handler threw or rejected with, as the caller shall see it. */
export function toWireError (reason: unknown): WireError {
  if (reason instanceof WireError) return reason
  return new WireError('INTERNAL', undefined, {}, { cause: reason })
}

/** Undefined for success. @param address that was called, for the message. */
export function fromTrailers (trailers: IncomingHttpHeaders, address: string): WireError | undefined {
  const status = trailers['grpc-status']
  if (status === okStatus) return undefined
  const detail = trailers[detailName]
  if (typeof detail === 'string') return fromDetail(detail)
  const message = decoded(String(trailers['grpc-message'] ?? `gRPC status ${String(status)}`))
  return new WireError(statuses[String(status)] ?? 'INTERNAL', `${address}: ${message}`)
}

function fromDetail (base64: string): WireError {
  try {
    return WireError.fromDetail(ErrorDetail.decode(Buffer.from(base64, 'base64')))
  } catch (error) {
    return new WireError('INTERNAL', 'an error that cannot be read', {}, { cause: error })
  }
}

function decoded (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Why a call ended without trailers. */
export function fromBreak (error: Error | undefined, resetCode: number | undefined, address: string): WireError {
  if (error instanceof WireError) return error
  // A stream that waited for the connection wraps what that failed with.
  const { code, message } = (error?.cause ?? error ?? {}) as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return new WireError('CONNECTION_REFUSED', `nobody listens at ${address}`)
  if (resetCode === constants.NGHTTP2_ENHANCE_YOUR_CALM) {
    return new WireError('BROKER_BUSY', `${address} refuses more calls`)
  }
  return new WireError('UNAVAILABLE', `${address}: ${message ?? 'the connection broke'}`)
}
