import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, it } from 'vitest'
import { bracketed, parseAddress } from '../../../wire/address.ts'
import { GrpcNet } from '../../../wire/adapters/grpc-net.ts'
import { netConformance } from '../net.conformance.ts'
import type { NetHarness } from '../net.conformance.ts'
import { netClusterConformance } from '../net-cluster.conformance.ts'

const harness = async (): Promise<NetHarness> => {
  const server = new GrpcNet()
  const client = new GrpcNet()
  return {
    server,
    client,
    listenAddress: '127.0.0.1:0',
    deadAddress: await deadAddress(),
    until,
    run: async promise => await promise,
    close: async () => {
      await client.close()
      await server.close()
    }
  }
}

netConformance('gRPC', harness)
netClusterConformance('gRPC', harness)

it('is reached by every address of the machine, which it tells as it is', async () => {
  const { server, client, close } = await harness()
  const peers: string[] = []
  const listener = await server.listen('[::]:0', {
    unary: {
      GetMetadata: async (_request, { peer }) => {
        peers.push(peer)
        return {}
      }
    }
  })
  const { port } = parseAddress(listener.address)
  // Link-local ones need their zone.
  const local = Object.values(networkInterfaces()).flat().flatMap(each =>
    each?.internal === true && (each.scopeid ?? 0) === 0 ? [each.address] : [])
  expect(local).toContain('127.0.0.1')
  for (const address of local) await client.call(`${bracketed(address)}:${port}`, 'GetMetadata', {}, 5_000)
  expect(peers.map(peer => parseAddress(peer).host)).toEqual(local)
  await listener.close(0)
  await close()
})

async function until (condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error('it did not come about within 10 s')
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

/** A port that was free a moment ago. */
async function deadAddress (): Promise<string> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return `127.0.0.1:${port}`
}
