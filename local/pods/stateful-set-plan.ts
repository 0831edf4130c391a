// What a StatefulSet needs to be true, as a function of what there is. Pods are started and stopped all
// together (podManagementPolicy Parallel) and replaced only by deletion (updateStrategy OnDelete).
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset
import { createHash } from 'node:crypto'
import type { OwnerReference } from '../kube/api.ts'
import { isReady, matches, nodeName } from './types.ts'
import type { Claim, ClaimTemplate, Pod, StatefulSet, StatefulSetStatus } from './types.ts'

export interface Plan {
  readonly claims: Claim[]
  readonly pods: Pod[]
  /** Names of pods to delete. */
  readonly remove: string[]
  /** Names of pods without an owner that belong to the set. */
  readonly adopt: string[]
  readonly status: StatefulSetStatus
}

export const revisionLabel = 'controller-revision-hash'

/** @param pods of the namespace. @param claims names of those in the namespace. */
export function planStatefulSet (set: StatefulSet, pods: readonly Pod[], claims: ReadonlySet<string>): Plan {
  const { name } = set.metadata
  const replicas = set.spec.replicas ?? 1
  const revision = revisionOf(set)
  const orphans = pods.filter(pod => mayBeAdopted(set, pod))
  const mine = [...pods.filter(pod => ownerOf(pod)?.uid === set.metadata.uid), ...orphans]
  const taken = new Set(pods.map(pod => pod.metadata.name))
  const ordinals = Array.from({ length: replicas }, (_, ordinal) => ordinal)
  const templates = set.spec.volumeClaimTemplates ?? []
  return {
    claims: ordinals.flatMap(ordinal => templates.map(template => claim(set, template, ordinal)))
      .filter(({ metadata }) => !claims.has(metadata.name)),
    pods: ordinals.map(ordinal => pod(set, revision, ordinal)).filter(({ metadata }) => !taken.has(metadata.name)),
    remove: mine.filter(each => isSuperfluous(each, name, replicas)).map(({ metadata }) => metadata.name),
    adopt: orphans.map(({ metadata }) => metadata.name),
    status: status(set, revision, mine)
  }
}

/** -1 for a name that is not of this set. */
function ordinalOf (pod: string, set: string): number {
  const digits = pod.startsWith(`${set}-`) ? pod.slice(set.length + 1) : ''
  return /^(0|[1-9]\d{0,8})$/.test(digits) ? Number(digits) : -1
}

function ownerOf (pod: Pod): OwnerReference | undefined {
  return pod.metadata.ownerReferences?.find(({ controller }) => controller === true)
}

function mayBeAdopted (set: StatefulSet, pod: Pod): boolean {
  return ownerOf(pod) === undefined && pod.metadata.deletionTimestamp === undefined &&
    ordinalOf(pod.metadata.name, set.metadata.name) >= 0 &&
    matches(pod.metadata.labels, set.spec.selector.matchLabels ?? {})
}

function isSuperfluous (pod: Pod, set: string, replicas: number): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false
  const ended = pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded'
  return ended || ordinalOf(pod.metadata.name, set) >= replicas
}

/** The name that kubectl shows: the set and a hash of the template. */
export function revisionOf (set: StatefulSet): string {
  const hash = createHash('sha256').update(JSON.stringify(set.spec.template)).digest('hex')
  return `${set.metadata.name}-${hash.slice(0, 10)}`
}

export function setReference (set: StatefulSet): OwnerReference {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    name: set.metadata.name,
    uid: set.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true
  }
}

function claimName (set: StatefulSet, template: ClaimTemplate, ordinal: number): string {
  return `${template.metadata.name}-${set.metadata.name}-${ordinal}`
}

/** Without an owner: volumes outlive the set and its pods (persistentVolumeClaimRetentionPolicy Retain). */
function claim (set: StatefulSet, template: ClaimTemplate, ordinal: number): Claim {
  const { labels = {}, annotations } = template.metadata
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName(set, template, ordinal),
      namespace: set.metadata.namespace ?? 'default',
      labels: { ...labels, ...set.spec.selector.matchLabels },
      ...annotations !== undefined && { annotations: { ...annotations } }
    },
    spec: { ...template.spec }
  }
}

function pod (set: StatefulSet, revision: string, ordinal: number): Pod {
  const { template, serviceName } = set.spec
  const name = `${set.metadata.name}-${ordinal}`
  const templates = set.spec.volumeClaimTemplates ?? []
  const ofClaims = new Set(templates.map(({ metadata }) => metadata.name))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: set.metadata.namespace ?? 'default',
      labels: {
        ...template.metadata?.labels,
        [revisionLabel]: revision,
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal)
      },
      ...template.metadata?.annotations !== undefined && { annotations: { ...template.metadata.annotations } },
      ownerReferences: [setReference(set)]
    },
    spec: {
      ...template.spec,
      hostname: name,
      ...serviceName !== undefined && { subdomain: serviceName },
      nodeName,
      volumes: [
        ...(template.spec.volumes ?? []).filter(volume => !ofClaims.has(volume.name)),
        ...templates.map(each => ({
          name: each.metadata.name, persistentVolumeClaim: { claimName: claimName(set, each, ordinal) }
        }))
      ]
    }
  }
}

function status (set: StatefulSet, revision: string, pods: readonly Pod[]): StatefulSetStatus {
  const living = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const of = (wanted: string): number =>
    living.filter(({ metadata }) => metadata.labels?.[revisionLabel] === wanted).length
  const ready = living.filter(isReady).length
  const updated = of(revision)
  const before = set.status?.currentRevision
  const currentRevision = before === undefined || before === '' || updated === living.length ? revision : before
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: living.length,
    readyReplicas: ready,
    availableReplicas: ready,
    currentReplicas: of(currentRevision),
    updatedReplicas: updated,
    currentRevision,
    updateRevision: revision,
    collisionCount: 0
  }
}

