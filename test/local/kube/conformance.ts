// What any Kubernetes API server does that millrace relies on, as a suite that takes the server: the
// embedded one in test/local/kube/conformance.test.ts, a real kube-apiserver in test/kubernetes/.
import { afterAll, beforeAll, describe } from 'vitest'
import { Client } from './client.ts'
import type { Target } from './client.ts'
import { applySuite } from './conformance/apply.ts'
import { builtinSuite } from './conformance/builtin.ts'
import { crdSuite } from './conformance/crd.ts'
import { crudSuite } from './conformance/crud.ts'
import { deleteSuite } from './conformance/delete.ts'
import { discoverySuite } from './conformance/discovery.ts'
import { nodeSuite } from './conformance/nodes.ts'
import { patchSuite } from './conformance/patch.ts'
import { celSuite } from './conformance/rules.ts'
import { watchSuite } from './conformance/watch.ts'
import { World } from './conformance/world.ts'

/** Registers the suite. `start` gives the server, `stop` takes it away again. */
export function kubeConformance (name: string, start: () => Promise<Target>, stop: () => Promise<void>): void {
  describe(`${name} as a Kubernetes API server`, () => {
    const world = new World()
    beforeAll(async () => {
      world.client = new Client(await start())
      await world.setUp()
    })
    afterAll(async () => {
      await world.tearDown()
      await stop()
    })
    discoverySuite(world)
    crudSuite(world)
    watchSuite(world)
    patchSuite(world)
    applySuite(world)
    deleteSuite(world)
    crdSuite(world)
    celSuite(world)
    builtinSuite(world)
    nodeSuite(world)
  })
}
