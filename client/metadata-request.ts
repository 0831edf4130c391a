// One question for metadata, put to several brokers one after the other until one answers.
import { WireError } from '../wire/errors.ts'
import type { GetMetadataRequest, GetMetadataResponse, Sent } from '../wire/messages.ts'
import type { Clock, Net, Timer } from '../wire/ports.ts'
import { metadataHedgeMs, metadataTimeoutMs } from './limits.ts'

/** Everybody was asked, and has failed. */
export class NoAnswer extends Error {
  /** The last failure. */
  override readonly cause: unknown
  /** By address. */
  readonly failures: ReadonlyMap<string, unknown>

  constructor (cause: unknown, failures: ReadonlyMap<string, unknown>) {
    super('no broker answers')
    this.cause = cause
    this.failures = failures
  }
}

/**
 * The first good answer. A broker that fails is followed by the next at once, one that is silent after
 * metadataHedgeMs, so that a hanging broker does not hide the others.
 *
 * @param isOther whether the uid of a cluster is not that of the one that is meant
 * @throws NoAnswer
 */
export function askForMetadata (ports: { readonly net: Net, readonly clock: Clock },
  candidates: readonly string[], request: Sent<GetMetadataRequest>,
  isOther: (clusterUid: string) => boolean): Promise<GetMetadataResponse> {
  const { net, clock } = ports
  return new Promise((resolve, reject) => {
    const failures = new Map<string, unknown>()
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
      failures.set(address, error)
      if (done) return
      if (next < candidates.length) askNext()
      else if (unanswered === 0) end(() => { reject(new NoAnswer(error, failures)) })
    }

    function askNext (): void {
      hedge?.cancel()
      const address = candidates[next++]
      if (done || address === undefined) return
      unanswered++
      net.call(address, 'GetMetadata', request, metadataTimeoutMs).then(response => {
        if (response.error !== undefined) failed(address, WireError.fromDetail(response.error))
        else if (isOther(response.clusterUid)) failed(address, new WireError('WRONG_BROKER'))
        else end(() => { resolve(response) })
      }, (error: unknown) => { failed(address, error) })
      hedge = clock.setTimer(metadataHedgeMs, askNext)
    }

    askNext()
  })
}
