// Changes of the cluster that people make, under load and among faults.
import { clusterName } from '../../../local/manifests.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'

const namespace = 'default'

async function patchCluster ({ world }: Scene, spec: object): Promise<void> {
  await world.api.patch('clusters.millrace.dev', namespace, clusterName, { spec })
}

let images = 0

/** Another image: every broker is restarted, one after the other. Local pods run the same program whatever it says. */
async function roll (scene: Scene): Promise<Strike> {
  await patchCluster(scene, { image: `millrace:fault-${++images}` })
  return { what: 'rolling restart', heal: () => {} }
}

async function deletePod (scene: Scene): Promise<Strike | undefined> {
  const { world, rng, struck } = scene
  const free = world.brokers().filter(broker => !struck.has(broker))
  if (free.length === 0) return undefined
  const broker = rng.pick(free)
  await world.api.delete('pods', namespace, `${clusterName}-${broker}`, { gracePeriodSeconds: 0 })
  return { what: `pod of broker ${broker} deleted by force`, brokers: [broker], heal: () => {} }
}

export const changeKinds: readonly FaultKind[] = [
  { name: 'roll', lastsMs: { alone: 5_000, mixed: [0, 2_000] }, weight: 0.5, strike: roll },
  { name: 'delete pod', lastsMs: { alone: 1_000, mixed: [0, 1_000] }, strike: deletePod }
]
