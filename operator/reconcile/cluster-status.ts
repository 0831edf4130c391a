// The status of a Cluster, from the pods and from what the controller says; written when it says
// something new.
import type { Happening } from '../kube/events.ts'
import { kinds } from '../kube/types.ts'
import { selectorText } from '../objects/names.ts'
import { bootstrapAddress } from '../objects/services.ts'
import { same } from '../same.ts'
import type { ClusterStatus } from '../schema/cluster.ts'
import { ordinalOf } from './caches.ts'
import { isReady, type ClusterContext } from './cluster-context.ts'
import { diskNews, diskVerdicts, lowDisks } from './cluster-disks.ts'
import { shownListeners } from './cluster-listeners.ts'
import { maintenanceMessage } from './cluster-maintenance.ts'
import { currentTemplate, isOutdated } from './cluster-roll.ts'
import { drainingMessage, movingMessage, scaleNews } from './cluster-scale-words.ts'
import { condition, conditions, type Verdict } from './conditions.ts'
import { pausedNews, pausedVerdicts } from './paused.ts'
import type { View } from './views.ts'

/** A controller that moves is found again sooner; status does not follow every hiccup. */
const silenceMsMax = 3_000
const noController = 'the brokers have no controller, or it does not answer'

interface PartitionCounts {
  readonly total: number
  readonly underReplicated: number
  readonly underMinInSync: number
  readonly offline: number
}

interface Moves {
  readonly underWay: number
  /** Undefined: not known yet. */
  readonly bytesLeft?: number
}

interface Facts {
  readonly ready: number
  /** Not ready, and not in maintenance. */
  readonly missing: number
  readonly total: number
  /** -1: none, or it does not answer. */
  readonly controller: number
  readonly partitions: PartitionCounts
  /** Of the partitions that are under-replicated: for other reasons than brokers in maintenance. */
  readonly lacking: number
  readonly moves: Moves
  /** It has been Ready before: a broker that is missing now degrades it. */
  readonly wasReady: boolean
}

export async function writeClusterStatus (context: ClusterContext): Promise<void> {
  const { api, caches, cluster, clock, events } = context
  // A step may have written it already in this pass.
  const { status: previous, metadata: { resourceVersion } } = caches.clusters.get(context.key) ?? cluster
  const { generation = 0, name, namespace } = cluster.metadata
  const facts = gather(context)
  const disks = lowDisks(context.views.get(context.key), previous?.lowDisks ?? [], clock.wallTime())
  const verdicts = [
    ready(context, facts), progressing(context, facts), degraded(context, facts),
    ...diskVerdicts(disks), ...pausedVerdicts(context.notes.paused)
  ]
  const status: ClusterStatus = {
    phase: phase(context, facts, verdicts),
    observedGeneration: generation,
    conditions: conditions(previous?.conditions, verdicts, generation, clock.wallTime()),
    brokers: { ready: facts.ready, total: facts.total },
    controller: facts.controller,
    partitions: facts.partitions,
    moves: facts.moves,
    ...context.draining.length > 0 && { draining: context.draining },
    ...context.maintenance.length > 0 && { maintenance: context.maintenance },
    ...disks.length > 0 && { lowDisks: disks },
    ...cluster.spec.listeners !== undefined && { listeners: shownListeners(context) },
    version: version(context),
    bootstrap: bootstrapAddress(cluster),
    selector: selectorText(name)
  }
  if (same(previous, status)) return
  const { apiVersion, kind } = cluster
  // Refused when somebody wrote meanwhile: the status remembers how many brokers hold something, and an order that a
  // dead operator has left under way would bring back brokers that the next one has taken away.
  const metadata = {
    name,
    ...namespace !== undefined && { namespace },
    ...resourceVersion !== undefined && { resourceVersion }
  }
  caches.clusters.observe(await api.apply(kinds.cluster, { apiVersion, kind, metadata, status }, 'status'))
  const isPlanned = status.phase === 'Rolling' || status.phase === 'Scaling'
  const happenings = [...news(previous, verdicts, isPlanned), ...scaleNews(context, previous, status),
    ...diskNews(previous?.conditions, disks), ...pausedNews(previous?.conditions, context.notes.paused)]
  for (const happening of happenings) events.record(cluster, happening)
}

function gather (context: ClusterContext): Facts {
  const { caches, cluster, views, key, replicas } = context
  const { status } = cluster
  const pods = caches.podsOf(cluster)
  const view = views.get(key)
  // Never what the spec says: brokers that hold something are counted.
  const total = replicas ?? status?.brokers?.total ?? 0
  const readyPods = pods.filter(pod => isReady(pod) && ordinalOf(pod) < total).length
  const isThere = (id: number): boolean => pods.some(pod => ordinalOf(pod) === id && isReady(pod))
  const excused = (cluster.spec.maintenance ?? []).filter(id => id < total && !isThere(id)).length
  const isSilent = view === undefined || readyPods === 0 || views.silentMs(key) > silenceMsMax
  return {
    ready: readyPods,
    missing: Math.max(0, total - readyPods - excused),
    total,
    controller: isSilent ? -1 : view.controller,
    // Without a controller the last that was heard stands.
    partitions: {
      total: view?.partitions ?? status?.partitions?.total ?? 0,
      underReplicated: view?.underReplicated ?? status?.partitions?.underReplicated ?? 0,
      underMinInSync: view?.underMinInSync ?? status?.partitions?.underMinInSync ?? 0,
      offline: view?.offline ?? status?.partitions?.offline ?? 0
    },
    lacking: view?.underReplicatedUnexpectedly ?? status?.partitions?.underReplicated ?? 0,
    moves: view === undefined ? remembered(status) : movesOf(view.moves),
    wasReady: condition(status?.conditions, 'Ready')?.status === 'True' ||
      (status?.phase !== undefined && status.phase !== 'Creating' && status.phase !== 'Invalid')
  }
}

function movesOf (moves: View['moves']): Moves {
  const known = moves.filter(({ bytesLeft }) => bytesLeft >= 0)
  const underWay = { underWay: moves.length }
  if (known.length === 0) return underWay
  return { ...underWay, bytesLeft: known.reduce((sum, each) => sum + each.bytesLeft, 0) }
}

function remembered (status: ClusterStatus | undefined): Moves {
  const { underWay = 0, bytesLeft } = status?.moves ?? {}
  return { underWay, ...bytesLeft !== undefined && { bytesLeft } }
}

/** Ready: has been complete once, has a controller, and every partition takes and gives records. */
function ready ({ notes }: ClusterContext, facts: Facts): Verdict {
  const no = (reason: string, message: string): Verdict => ({ type: 'Ready', status: false, reason, message })
  const { offline, underMinInSync, total } = facts.partitions
  if (notes.invalid !== undefined) return no('InvalidSpec', notes.invalid)
  if (notes.foreignVolumes !== undefined && !facts.wasReady) return no('ForeignVolumes', notes.foreignVolumes)
  if (facts.ready === 0) return no('BrokersNotReady', `none of ${facts.total} brokers is ready`)
  if (facts.ready < facts.total && !facts.wasReady) {
    return no('BrokersNotReady', `${facts.ready} of ${facts.total} brokers are ready`)
  }
  if (facts.controller < 0) return no('NoController', noController)
  if (offline > 0) return no('PartitionsOffline', `${offline} of ${total} partitions have no leader`)
  if (underMinInSync > 0) return no('NotEnoughReplicas', `${underMinInSync} of ${total} partitions take no records`)
  return { type: 'Ready', status: true, reason: 'Serving', message: 'every partition takes and gives records' }
}

function progressing (context: ClusterContext, facts: Facts): Verdict {
  const { notes, draining } = context
  const yes = (reason: string, message: string): Verdict => ({ type: 'Progressing', status: true, reason, message })
  if (notes.paused !== undefined) {
    return { type: 'Progressing', status: false, reason: 'Paused', message: notes.paused }
  }
  if (notes.foreignVolumes !== undefined) {
    return { type: 'Progressing', status: false, reason: 'ForeignVolumes', message: notes.foreignVolumes }
  }
  if (notes.resizing !== undefined) return yes('Resizing', notes.resizing)
  if (notes.rollFailed !== undefined && notes.rolling !== undefined) {
    return { type: 'Progressing', status: false, reason: 'RollStopped', message: notes.rolling }
  }
  if (notes.rolling !== undefined) return yes('Rolling', notes.rolling)
  if (notes.scaleDownBlocked !== undefined) {
    return { type: 'Progressing', status: false, reason: 'ScaleDownBlocked', message: notes.scaleDownBlocked }
  }
  if (draining.length > 0) return yes('Draining', drainingMessage(context, draining))
  if (facts.missing > 0) {
    return yes(facts.wasReady ? 'BrokersStarting' : 'Creating', `${facts.ready} of ${facts.total} brokers are ready`)
  }
  if (facts.moves.underWay > 0) return yes('Moving', movingMessage(context, facts.moves))
  if (notes.waiting !== undefined) return yes('WaitingForAddress', notes.waiting)
  const resting = maintenanceMessage(context)
  if (resting !== undefined) return { type: 'Progressing', status: false, reason: 'Maintenance', message: resting }
  return { type: 'Progressing', status: false, reason: 'Settled', message: 'nothing is being changed' }
}

function degraded ({ notes }: ClusterContext, facts: Facts): Verdict {
  const yes = (reason: string, message: string): Verdict => ({ type: 'Degraded', status: true, reason, message })
  const { offline, total } = facts.partitions
  if (notes.failed !== undefined) return yes('ReconcileFailed', notes.failed)
  if (notes.invalid !== undefined) return yes('InvalidSpec', notes.invalid)
  if (notes.foreignVolumes !== undefined) return yes('ForeignVolumes', notes.foreignVolumes)
  if (notes.rollFailed !== undefined) {
    const stops = notes.rolling === undefined ? '' : '; no other broker is restarted'
    return yes('BrokerStuck', `${notes.rollFailed}${stops}`)
  }
  if (facts.wasReady && facts.missing > 0) {
    return yes('BrokersNotReady', `${facts.missing} of ${facts.total} brokers are not ready`)
  }
  if (facts.wasReady && facts.controller < 0) return yes('NoController', noController)
  if (offline > 0) return yes('PartitionsOffline', `${offline} of ${total} partitions have no leader`)
  if (facts.wasReady && facts.lacking > 0) {
    return yes('UnderReplicated', `${facts.lacking} of ${total} partitions have too few replicas in sync`)
  }
  if (notes.scaleDownBlocked !== undefined) return yes('ScaleDownBlocked', notes.scaleDownBlocked)
  return { type: 'Degraded', status: false, reason: 'AsWanted', message: 'the cluster is as its spec says' }
}

function phase ({ cluster, notes, draining }: ClusterContext, facts: Facts,
  [isReadyNow, , isDegraded]: readonly Verdict[]): ClusterStatus['phase'] {
  if (cluster.metadata.deletionTimestamp !== undefined) return 'Deleting'
  if (notes.invalid !== undefined) return 'Invalid'
  if (!facts.wasReady && isReadyNow?.status !== true) return 'Creating'
  const { phase: before, brokers } = cluster.status ?? {}
  // What was begun goes on until the last broker is back.
  const isPending = facts.missing > 0
  const rolls = notes.rolling !== undefined || notes.resizing !== undefined || (before === 'Rolling' && isPending)
  if (rolls) return 'Rolling'
  const isBlocked = notes.scaleDownBlocked !== undefined
  const goesOn = before === 'Scaling' && (isPending || facts.moves.underWay > 0)
  const grows = facts.total > (brokers?.total ?? facts.total)
  if (grows || (draining.length > 0 && !isBlocked) || goesOn) return 'Scaling'
  return isDegraded?.status === true && isDegraded.reason !== 'ScaleDownBlocked' ? 'Degraded' : 'Running'
}

/** The new version once the last broker runs it. */
function version (context: ClusterContext): string | undefined {
  const { cluster, caches, version: mine } = context
  if (cluster.spec.image !== undefined) return tagOf(cluster.spec.image)
  const template = currentTemplate(context)
  const pods = caches.podsOf(cluster)
  const isCurrent = template !== undefined && pods.length > 0 && pods.every(pod => !isOutdated(pod, template))
  return isCurrent ? mine : cluster.status?.version
}

/** What follows the last colon behind the last slash: a registry may have a port. */
function tagOf (image: string): string {
  return /:([^:/@]+)(?:@.*)?$/.exec(image)?.[1]?.slice(0, 64) ?? 'unknown'
}

/** What brokers are missed for while a roll or a new broker is under way. */
const expected: ReadonlySet<string> = new Set(['BrokersNotReady', 'UnderReplicated'])

function news (previous: ClusterStatus | undefined, verdicts: readonly Verdict[], isPlanned: boolean): Happening[] {
  const told: Happening[] = []
  for (const { type, status, reason, message } of verdicts) {
    const before = condition(previous?.conditions, type)
    if (type === 'Ready' && status === true && before?.status !== 'True') {
      told.push({ type: 'Normal', reason: 'ClusterReady', action: 'Reconcile', note: message })
    }
    const isNews = before?.reason !== reason && !(isPlanned && expected.has(reason))
    if (type === 'Degraded' && status === true && isNews) {
      told.push({ type: 'Warning', reason, action: 'Reconcile', note: message })
    }
  }
  return told
}
