// A call says which cluster it means, a listener to which it belongs: what every implementation of Net keeps to.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { WireError } from '../../wire/errors.ts'
import type { Listener, Services } from '../../wire/ports.ts'
import { Recorder } from './net.conformance.ts'
import type { NetHarness } from './net.conformance.ts'

const services: Services = {
  unary: { DescribeCluster: () => Promise.resolve({ controller: 3 }) },
  streams: { Session: () => new Recorder<unknown>() }
}

export function netClusterConformance (name: string, make: () => Promise<NetHarness>): void {
  describe(`${name}: Net: a cluster that is meant`, () => {
    let harness: NetHarness
    let listener: Listener | undefined

    beforeEach(async () => { harness = await make() })

    afterEach(async () => {
      if (listener !== undefined) await harness.run(listener.close(0))
      listener = undefined
      await harness.close()
    })

    const listenAs = async (clusters: readonly string[]): Promise<string> => {
      listener = await harness.run(harness.server.listen(harness.listenAddress, services, { clusters }))
      return listener.address
    }
    const ask = async (address: string): Promise<unknown> => await harness.run(
      harness.client.call(address, 'DescribeCluster', {}, 5_000)
        .then(({ controller }) => controller, (error: unknown) => (error as WireError).code))

    it('is served by its own brokers, by any name of it; another\'s refuse', async () => {
      const address = await listenAs(['ns/events', 'uid-1'])
      for (const cluster of ['', 'ns/events', 'uid-1']) {
        harness.client.identify(cluster)
        expect(await ask(address)).toBe(3)
      }
      harness.client.identify('ns/others')
      expect(await ask(address)).toBe('WRONG_BROKER')
      const seen = new Recorder<unknown>()
      harness.client.open(address, 'Session', seen)
      await harness.until(() => seen.closes.length > 0)
      expect(seen.closes[0]?.code).toBe('WRONG_BROKER')
    })

    it('is nothing to a listener that belongs to none', async () => {
      harness.client.identify('ns/others')
      expect(await ask(await listenAs([]))).toBe(3)
    })
  })
}
