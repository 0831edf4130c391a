import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Proxy } from '../../../local/pods/proxy.ts'
import { isReady, portsOf } from '../../../local/pods/types.ts'
import { hear, LocalWorld, statefulSet, until } from './fixtures.ts'

let world: LocalWorld
let bootstrap: Proxy

beforeEach(async () => {
  bootstrap = await Proxy.listen(0)
  world = await LocalWorld.start(new Map([['default/events-bootstrap/client', bootstrap]]))
})
afterEach(async () => {
  await world.close()
  expect(world.errors).toEqual([])
})

async function createService (name: string, spec: object = {}): Promise<void> {
  await world.api.create('services', {
    metadata: { name, namespace: 'default' },
    spec: { selector: { app: 'fake' }, ports: [{ name: 'client', port: 9090, targetPort: 'client' }], ...spec }
  })
}

describe('a Service', () => {
  it('leads to ready pods, each in turn, on the port that was set aside for it', async () => {
    await createService('events-bootstrap')
    await world.createSet(statefulSet(2))
    await world.ready(2)
    const heard = [await hear(bootstrap.port), await hear(bootstrap.port)]
    expect(heard.sort()).toEqual(['events-0', 'events-1'])
    expect(portsOf(world.api.get('services', 'default', 'events-bootstrap')!)).toEqual({ client: bootstrap.port })
  })

  it('answers while any pod lives', async () => {
    await createService('events-bootstrap')
    await world.createSet(statefulSet(2))
    await world.ready(2)
    process.kill(world.pid('events-0'), 'SIGSTOP')
    const stopped = world.pid('events-0')
    await until('events-0 is unready', () => !isReady(world.pod('events-0')!))
    for (let time = 0; time < 4; time++) expect(await hear(bootstrap.port)).toBe('events-1')
    process.kill(stopped, 'SIGKILL')
  })

  it('closes a connection when nobody is there', async () => {
    await createService('events-bootstrap')
    expect(await hear(bootstrap.port)).toBe('')
  })

  it('gets a free port of its own, and gives it back', async () => {
    await createService('other')
    await world.createSet(statefulSet(1))
    await world.ready(1)
    const port = (): number => portsOf(world.api.get('services', 'default', 'other')!).client ?? 0
    await until('a port', () => port() !== 0)
    const open = port()
    expect(await hear(open)).toBe('events-0')
    await world.api.delete('services', 'default', 'other')
    const { promise, resolve } = Promise.withResolvers<void>()
    const knock = (): void => {
      connect({ host: '127.0.0.1', port: open }).on('connect', function (this: { destroy (): void }) {
        this.destroy()
        setTimeout(knock, 5)
      }).on('error', () => { resolve() })
    }
    knock()
    await promise
  })

  it('passes on what either side says, until one ends', async () => {
    await createService('events-bootstrap')
    await world.createSet(statefulSet(1))
    await world.ready(1)
    const socket = connect({ host: '127.0.0.1', port: bootstrap.port })
    const closed = new Promise(resolve => socket.on('close', resolve))
    let heard = ''
    socket.on('data', data => { heard += data.toString() })
    socket.on('error', () => {})
    socket.write('x'.repeat(300_000))
    await until('an echo', () => heard.length === 300_000 + 'events-0'.length)
    socket.write('crash')
    await closed
  })

  it('shows its pods as endpoints', async () => {
    await createService('events-brokers', { clusterIP: 'None', publishNotReadyAddresses: true })
    await world.createSet(statefulSet(2))
    await world.ready(2)
    const labelSelector = 'kubernetes.io/service-name=events-brokers'
    const slices = (): { ports: { port: number }[], endpoints: { conditions: { ready: boolean } }[] }[] =>
      world.api.list('endpointslices.discovery.k8s.io', { labelSelector }) as never
    const ports = world.pods().map(pod => portsOf(pod).client)
    await until('two slices', () => slices().length === 2)
    expect(slices().map(slice => slice.ports[0]?.port)).toEqual(ports)
    await until('both ready', () => slices().every(({ endpoints }) => endpoints[0]?.conditions.ready === true))
    const subsets = (): { addresses: { targetRef: { name: string } }[], ports: { port: number }[] }[] =>
      world.api.get('endpoints', 'default', 'events-brokers')?.subsets as never
    expect(subsets().map(subset => [subset.addresses[0]?.targetRef.name, subset.ports[0]?.port]))
      .toEqual([['events-0', ports[0]], ['events-1', ports[1]]])
    await world.api.patch('statefulsets.apps', 'default', 'events', { spec: { replicas: 1 } })
    await until('one slice', () => slices().length === 1 && subsets().length === 1)
  })
})
