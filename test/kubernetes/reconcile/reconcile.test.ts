// The operator's reconcile suites on a real API server, with the rights of its ServiceAccount: the same files that
// `npm test` runs on the embedded API. Where the two differ, the embedded one is wrong.
import { afterAll, beforeAll, describe } from 'vitest'
import { worldsOn } from '../../operator/reconcile/world-host.ts'
import { Installation } from './installation.ts'
import { realHost } from './real-host.ts'

let installation: Installation | undefined

beforeAll(async () => {
  installation = await Installation.start()
  worldsOn(async () => await realHost(installation!))
})
afterAll(async () => { await installation?.stop() })

// Those that delete Clusters are last: the garbage collector looks for new kinds of owners every half minute.
const suites = [
  'topic', 'scale', 'disks', 'listeners', 'maintenance', 'paused', 'roll', 'settings', 'namespaces', 'adopt', 'cluster',
  'deletion'
]

for (const suite of suites) {
  describe(suite, async () => {
    await import(`../../operator/reconcile/${suite}.test.ts`)
  })
}
