// millrace broker replace-volume: an empty volume for a broker whose own never comes back. What Kubernetes leaves stuck
// then is a claim that is bound to a volume of a dead node, and a pod that can run nowhere else.
import { kinds, type KubeObject } from '../operator/kube/types.ts'
import { dataVolume, names } from '../operator/objects/names.ts'
import type { DescribeClusterResponse, RestoreTablesResponse } from '../wire/messages.ts'
import { withController, type ControllerOptions } from './controller.ts'
import { CliError, exitCodes } from './exit.ts'
import { findCluster, withKube, type Kube } from './kube.ts'
import { note, plural } from './notes.ts'
import { print } from './output.ts'

export interface ReplaceVolumeOptions extends ControllerOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

export async function brokerReplaceVolume (text: string, options: ReplaceVolumeOptions): Promise<number> {
  const broker = Number(text)
  if (!/^[0-9]{1,9}$/.test(text)) throw new CliError(`${text} is no broker id`, exitCodes.usage)
  return await withKube(options, async kube => {
    const cluster = await findCluster(kube, options.cluster)
    const { name, namespace = kube.namespace } = cluster.metadata
    const pod = `${names.statefulSet(name)}-${broker}`
    const claim = `${dataVolume}-${pod}`
    const [livePod, liveClaim] = [
      await kube.reach(() => kube.api.get(kinds.pod, namespace, pod)),
      await kube.reach(() => kube.api.get(kinds.persistentVolumeClaim, namespace, claim))
    ]
    if (liveClaim === undefined) {
      throw new CliError(`there is no PersistentVolumeClaim ${claim} in namespace ${namespace}`, exitCodes.notFound)
    }
    await withController({ ...options, cluster: name, namespace }, async controller => {
      refuseUnlessWhole(broker, await controller.call('RestoreTables', { dryRun: true, without: [] }))
      refuseUnlessLost(broker, await controller.call('DescribeCluster', { topics: [] }))
    })
    const isDone = options.yes === true && options.dryRun !== true
    if (isDone) {
      // Claim first: it goes when its pod does, and the next pod gets a new one.
      await remove(kube, kinds.persistentVolumeClaim, liveClaim)
      if (livePod !== undefined) await remove(kube, kinds.pod, livePod)
    }
    if (options.json === true) await print(`${JSON.stringify({ broker, claim, pod, replaced: isDone })}\n`)
    say(isDone, broker, claim, pod)
    return exitCodes.ok
  })
}

/** Rows that are lost name nobody: a broker that seems to be missed by none may hold all that there is. */
function refuseUnlessWhole (broker: number, { tables }: RestoreTablesResponse): void {
  const lost = tables.find(({ reason }) => reason !== '')
  if (lost === undefined) return
  throw new CliError(`partition table ${lost.table} is to be restored first (${lost.reason}), from the brokers' ` +
    `volumes, that of broker ${broker} too. Nothing was changed; see millrace cluster restore --dry-run`)
}

/** Whoever leads a partition has every committed record of it, and a broker without a session leads none. */
function refuseUnlessLost (broker: number, { brokers, offline }: DescribeClusterResponse): void {
  const known = brokers.find(({ brokerId }) => brokerId === broker)
  if (known === undefined) {
    const ids = brokers.map(({ brokerId }) => brokerId).join(', ')
    throw new CliError(`the cluster knows no broker ${broker}; there are ${ids}`, exitCodes.notFound)
  }
  if (!known.fenced) {
    throw new CliError(`broker ${broker} runs and serves its volume: nothing was changed. To empty it, move its ` +
      'partitions (millrace partition move) or scale down')
  }
  if (offline > 0) {
    throw new CliError(`${plural(offline, 'partition')} ${offline === 1 ? 'has' : 'have'} no leader: the volume of ` +
      `broker ${broker} may hold the only copy of records. Nothing was changed; see millrace partition list ` +
      '--troubled, bring other members back, or decide with millrace partition recover')
  }
}

/** Exactly the object that was looked at; a pod without waiting for its node. */
async function remove (kube: Kube, kind: typeof kinds.pod | typeof kinds.persistentVolumeClaim,
  { metadata: { name, namespace = '', uid } }: KubeObject): Promise<void> {
  await kube.reach(() => kube.api.delete(kind, namespace, name, {
    ...uid !== undefined && { uid }, ...kind === kinds.pod && { gracePeriodSeconds: 0 }
  }))
}

function say (isDone: boolean, broker: number, claim: string, pod: string): void {
  if (isDone) {
    note(`${claim} and ${pod} are deleted; broker ${broker} begins anew with an empty volume. See how far it is: ` +
      'millrace partition list --troubled')
  } else {
    note(`${claim} and ${pod} would be deleted; every partition has a leader without broker ${broker}. Nothing was ` +
      'changed; --yes does it')
  }
}
