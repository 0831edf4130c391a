// A consumer as a run sees it.
import type { ConsumerOptions } from './consumer-options.ts'
import type { HandOut } from './hand-out.ts'
import type { ReaderSet } from './reader-set.ts'
import type { RunSource } from './runner.ts'

export function runSource (handOut: HandOut, readers: ReaderSet,
  onUndecodable: ConsumerOptions['onUndecodable'], caller: Pick<RunSource, 'asked' | 'handedBack'>): RunSource {
  return {
    get isClosed () { return handOut.isClosed },
    get isOnHold () { return handOut.isOnHold },
    get partitions () { return readers.size },
    onUndecodable,
    take: wanted => handOut.take(wanted),
    changed: signal => handOut.changed(signal),
    wake: () => { handOut.wake() },
    ...caller
  }
}
