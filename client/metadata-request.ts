// One question for metadata, put to several brokers one after the other until one answers.
import { WireError } from '../wire/errors.ts'
import type { GetMetadataRequest, GetMetadataResponse, Sent } from '../wire/messages.ts'
import type { Clock, Net, Timer } from '../wire/ports.ts'
import { metadataHedgeMs, metadataTimeoutMs } from './limits.ts'

/**
 * The first good answer. A broker that fails is followed by the next at once, one that is silent after
 * metadataHedgeMs, so that a hanging broker does not hide the others.
 */
export function askForMetadata (ports: { readonly net: Net, readonly clock: Clock },
  candidates: readonly string[], request: Sent<GetMetadataRequest>,
  onFailure: (address: string, error: unknown) => void): Promise<GetMetadataResponse> {
  const { net, clock } = ports
  return new Promise((resolve, reject) => {
    let next = 0
    let unanswered = 0
    let done = false
    let hedge: Timer | undefined

    function end (finish: () => void): void {
      if (done) return
      done = true
      hedge?.cancel()
      finish()
    }

    function failed (address: string, error: unknown): void {
      unanswered--
      if (done) return
      onFailure(address, error)
      if (next < candidates.length) askNext()
      else if (unanswered === 0) end(() => { reject(error as Error) })
    }

    function askNext (): void {
      hedge?.cancel()
      const address = candidates[next++]
      if (done || address === undefined) return
      unanswered++
      net.call(address, 'GetMetadata', request, metadataTimeoutMs).then(response => {
        if (response.error !== undefined) failed(address, WireError.fromDetail(response.error))
        else end(() => { resolve(response) })
      }, (error: unknown) => { failed(address, error) })
      hedge = clock.setTimer(metadataHedgeMs, askNext)
    }

    askNext()
  })
}
