// Whose data the volumes hold that are there already under a Cluster's names. Pure.
//
// A claim says it by the uid that its Cluster had at first, and the operator has marked it with the claim's own uid: so
// a copy of a claim (restored from a snapshot or a backup, cloned from another environment) is told from the one that
// a Cluster of this name left behind. The brokers look once more, into the volume itself (broker/log/meta.ts).
import type { KubeObject } from '../kube/types.ts'
import type { Cluster } from '../schema/resources.ts'
import { adoptVolumesAnnotation, claimUidAnnotation, clusterUidAnnotation, dataVolume, names } from './names.ts'

export interface Claims {
  /** The cluster whose data the brokers shall serve. */
  readonly uid: string
  /** Names of volumes that hold something already. */
  readonly adopted: readonly string[]
  /** Why they are not taken over, and what to do; for people. */
  readonly refused?: string
}

/** How many are named to a person. */
const namedMax = 5

export function claimName (cluster: string, ordinal: number): string {
  return `${dataVolume}-${names.pod(cluster, ordinal)}`
}

/** -1: no claim that a broker of the cluster would get. */
export function claimOrdinal (cluster: string, claim: string): number {
  const begin = claimName(cluster, 0).slice(0, -1)
  const digits = claim.startsWith(begin) ? claim.slice(begin.length) : ''
  return /^(0|[1-9][0-9]{0,8})$/.test(digits) ? Number(digits) : -1
}

/**
 * @param claims of the namespace
 * @param clusterUid as the brokers that are there know it; unset: there are none yet
 */
export function judgeClaims (cluster: Cluster, claims: readonly KubeObject[], clusterUid?: string): Claims {
  const { name, uid = '', annotations } = cluster.metadata
  const said = annotations?.[adoptVolumesAnnotation] ?? ''
  const found = claims.filter(({ metadata }) =>
    claimOrdinal(name, metadata.name) >= 0 && metadata.deletionTimestamp === undefined)
  const adopted = found.map(({ metadata }) => metadata.name)
  const isOwn = (claim: KubeObject): boolean => {
    const of = uidOf(claim)
    if (clusterUid !== undefined) return of === clusterUid
    return of === uid || claim.metadata.annotations?.[claimUidAnnotation] === claim.metadata.uid
  }
  // What says nothing is the brokers' to judge: it may be an empty volume that somebody made beforehand.
  const foreign = found.filter(claim => uidOf(claim) !== '' && uidOf(claim) !== said && !isOwn(claim))
  const own = clusterUid ?? uid
  if (foreign.length > 0) return { uid: own, adopted: [], refused: foreignText(foreign, clusterUid) }
  const isAsked = said !== '' && found.some(claim => uidOf(claim) === '' || uidOf(claim) === said)
  const uids = new Set([
    ...clusterUid === undefined ? [] : [clusterUid], ...found.map(uidOf).filter(each => each !== ''),
    ...isAsked ? [said] : []
  ])
  if (uids.size > 1) {
    const refused = `the volumes hold data of several clusters (uids ${[...uids].join(', ')}): ${listed(found)}; ` +
      'keep those of one, delete or rename the others'
    return { uid: own, adopted: [], refused }
  }
  return { uid: [...uids][0] ?? own, adopted }
}

function uidOf (claim: KubeObject): string {
  return claim.metadata.annotations?.[clusterUidAnnotation] ?? ''
}

function foreignText (foreign: readonly KubeObject[], clusterUid: string | undefined): string {
  const uids = [...new Set(foreign.map(uidOf))]
  const what = `${listed(foreign)} ${foreign.length === 1 ? 'holds' : 'hold'} data of another cluster ` +
    `(${uids.length === 1 ? 'uid' : 'uids'} ${uids.join(', ')})`
  if (clusterUid !== undefined) {
    return `${what}, not of ${clusterUid}: delete or rename the claims, or ask for fewer brokers`
  }
  if (uids.length > 1) return `${what}: keep those of one, delete or rename the others`
  return `${what}: to serve that data set the annotation ${adoptVolumesAnnotation}: ${uids[0]} on this Cluster; to ` +
    'begin empty delete or rename the claims'
}

function listed (claims: readonly KubeObject[]): string {
  const all = claims.map(({ metadata }) => metadata.name).sort()
  const more = all.length > namedMax ? ` and ${all.length - namedMax} more` : ''
  return `PersistentVolumeClaim ${all.slice(0, namedMax).join(', ')}${more}`
}
