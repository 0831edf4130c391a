// Faults of the network between brokers, clients and the Kubernetes API.
import { anyBroker } from './kind.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { kubeHost, operatorHost, podName } from './world.ts'

type Pairs = (readonly [string, string])[]

function both (pairs: Pairs): Pairs {
  return pairs.flatMap(([a, b]): Pairs => [[a, b], [b, a]])
}

function cut (scene: Scene, what: string, pairs: Pairs): Strike {
  return { what, heal: scene.world.network.cut(pairs) }
}

function hosts ({ world }: Scene): string[] {
  return world.brokers().map(podName)
}

function isolate (scene: Scene): Strike | undefined {
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  const name = podName(broker)
  const others = hosts(scene).filter(each => each !== name)
  // Cut off from its peers alone, or from everybody as with a pulled cable.
  const cable = scene.rng.chance(0.5)
  const from = cable ? [...others, kubeHost, operatorHost, ...scene.clients.names()] : others
  return cut(scene, `broker ${broker} is cut off from ${cable ? 'everybody' : 'the other brokers'}`,
    both(from.map(each => [name, each])))
}

function oneWay (scene: Scene): Strike | undefined {
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  const name = podName(broker)
  const others = hosts(scene).filter(each => each !== name)
  return scene.rng.chance(0.5)
    ? cut(scene, `broker ${broker} is not heard by the others`, others.map(each => [name, each]))
    : cut(scene, `broker ${broker} does not hear the others`, others.map(each => [each, name]))
}

function halves (scene: Scene): Strike {
  const { rng } = scene
  const all = rng.shuffle(hosts(scene))
  const some = all.slice(0, 1 + rng.integer(all.length - 1))
  const pairs: Pairs = some.flatMap(a => all.filter(b => !some.includes(b)).map(b => [a, b] as const))
  // The API is on one side.
  const far = rng.chance(0.5) ? some : all.filter(each => !some.includes(each))
  return cut(scene, `${some.join(' ')} | ${all.filter(each => !some.includes(each)).join(' ')}, the API is not with ` +
    far.join(' '), both([...pairs, ...far.map(each => [each, kubeHost] as const)]))
}

/** Each broker reaches its neighbours; of three, two do not reach each other. */
function ring (scene: Scene): Strike {
  const all = scene.rng.shuffle(hosts(scene))
  const apart = all.flatMap((a, i) => all.slice(i + 1).filter(b => {
    const distance = all.indexOf(b) - i
    return all.length === 3 ? distance === 2 : distance !== 1 && distance !== all.length - 1
  }).map((b): [string, string] => [a, b]))
  return cut(scene, `apart: ${apart.map(pair => pair.join(' and ')).join(', ')}`, both(apart))
}

function slow (scene: Scene): Strike | undefined {
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  const name = podName(broker)
  const delayMs = scene.rng.pick([20, 100, 500, 1_500])
  const others = hosts(scene).filter(each => each !== name)
  return {
    what: `broker ${broker} is ${delayMs} ms away from the others, each way`,
    heal: scene.world.network.delay(both(others.map(each => [name, each])), delayMs)
  }
}

function apiDown ({ world }: Scene): Strike {
  world.network.down(kubeHost)
  return { what: 'the Kubernetes API refuses connections', heal: () => { world.network.up(kubeHost) } }
}

export const networkKinds: readonly FaultKind[] = [
  {
    name: 'partition',
    about: 'a broker cut off from its peers or from everybody',
    lastsMs: { alone: 8_000, mixed: [300, 15_000] }, weight: 2, strike: isolate
  },
  {
    name: 'one way',
    about: 'cut in one direction',
    lastsMs: { alone: 8_000, mixed: [300, 15_000] }, weight: 2, strike: oneWay
  },
  {
    name: 'halves',
    about: 'cut in two, the API on one side',
    single: true, lastsMs: { alone: 8_000, mixed: [300, 15_000] }, strike: halves
  },
  {
    name: 'ring',
    about: 'brokers reach their neighbours only',
    single: true, brokersMin: 3, lastsMs: { alone: 8_000, mixed: [300, 15_000] }, strike: ring
  },
  {
    name: 'delay',
    about: 'a slow link to a broker',
    lastsMs: { alone: 8_000, mixed: [1_000, 15_000] }, strike: slow
  },
  {
    name: 'client cut',
    about: 'clients do not reach a broker',
    lastsMs: { alone: 6_000, mixed: [300, 15_000] },
    strike: scene => {
      const broker = anyBroker(scene)
      return broker === undefined
        ? undefined
        : cut(scene, `clients do not reach broker ${broker}`,
          both(scene.clients.names().map(name => [name, podName(broker)])))
    }
  },
  {
    name: 'api cut',
    about: 'a broker does not reach the API',
    lastsMs: { alone: 8_000, mixed: [1_000, 20_000] },
    strike: scene => {
      const broker = anyBroker(scene)
      return broker === undefined
        ? undefined
        : cut(scene, `broker ${broker} does not reach the API`, both([[podName(broker), kubeHost]]))
    }
  },
  {
    name: 'api down',
    about: 'the API refuses connections',
    single: true, lastsMs: { alone: 40_000, mixed: [1_000, 20_000] }, strike: apiDown
  },
  {
    name: 'api down long',
    about: 'the same',
    single: true, weight: 0, lastsMs: { alone: 300_000, mixed: [300_000, 300_000] }, strike: apiDown
  },
  {
    name: 'api silent',
    about: 'the API does not answer',
    single: true,
    lastsMs: { alone: 15_000, mixed: [1_000, 20_000] },
    strike: scene => cut(scene, 'the Kubernetes API does not answer',
      both([...hosts(scene), operatorHost].map(name => [name, kubeHost])))
  }
]
