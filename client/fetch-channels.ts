// The Fetch streams of one consumer, one to each broker that it reads from.
import { FetchChannel } from './fetch-channel.ts'
import type { ClientPorts, Metadata } from './metadata.ts'

export class FetchChannels {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #channels = new Map<string, FetchChannel>()

  constructor (ports: ClientPorts, metadata: Metadata) {
    this.#ports = ports
    this.#metadata = metadata
  }

  get (address: string): FetchChannel {
    let channel = this.#channels.get(address)
    if (channel === undefined) {
      channel = new FetchChannel(this.#ports.net, this.#ports.clock, address)
      this.#channels.set(address, channel)
    }
    return channel
  }

  /** Ends those to addresses that are nobody's any more. */
  forget (): void {
    for (const [address, channel] of this.#channels) {
      if (!channel.isIdle || this.#metadata.isKnownAddress(address)) continue
      channel.end()
      this.#channels.delete(address)
    }
  }

  end (): void {
    for (const channel of this.#channels.values()) channel.end()
  }
}
