// The broker pod. Restricted Pod Security: non-root, read-only root, no capabilities, RuntimeDefault.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
import type { Cluster } from '../schema/resources.ts'
import { configHash } from './config-map.ts'
import { hash } from './hash.ts'
import {
  brokerContainer, configFile, configFolder, configHashAnnotation, dataFolder, dataVolume, names, ports, selectorLabels,
  templateHashAnnotation
} from './names.ts'
import { hostnameKey } from './racks.ts'

/** distroless "nonroot". */
const userId = 65532
/** Longer than a broker takes to hand its leaderships over and to close its volume. */
const terminationGracePeriodSeconds = 60
/** Recovery of a large volume may take minutes; until then liveness is not asked. */
const startupSecondsMax = 1_800

export interface PodTemplate {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  readonly spec: Readonly<Record<string, unknown>>
}

export interface PodTemplateOptions {
  /** Image for clusters that name none. */
  readonly image: string
  /** Whose data the volumes hold; a broker refuses any other. */
  readonly clusterUid: string
}

/**
 * Raised when running pods must be replaced because this source makes another template of the same wish: every
 * broker of every cluster restarts, one at a time. A difference that may wait for the next restart leaves it alone.
 */
const templateRevision = 1

/**
 * Hash of all that people wish of the pods, in an annotation: a pod is current when it carries the same. Not of the
 * template that is made of it, so that a newer operator which renders it otherwise restarts nothing.
 */
function wishHash (cluster: Cluster, { image, clusterUid }: PodTemplateOptions): string {
  const { spec } = cluster
  return hash({
    templateRevision,
    clusterUid,
    image: spec.image ?? image,
    settings: configHash(cluster),
    resources: spec.resources,
    topologyKey: spec.topologyKey,
    pod: spec.pod
  })
}

export function podTemplate (cluster: Cluster, options: PodTemplateOptions): PodTemplate {
  const name = cluster.metadata.name
  const { labels, annotations, ...placement } = cluster.spec.pod ?? {}
  return {
    metadata: {
      // Those that pods are found by come last: no wish takes them away.
      labels: { ...labels, ...selectorLabels(name) },
      annotations: {
        ...annotations,
        [configHashAnnotation]: configHash(cluster),
        [templateHashAnnotation]: wishHash(cluster, options)
      }
    },
    spec: {
      ...placement,
      serviceAccountName: names.serviceAccount(name),
      terminationGracePeriodSeconds,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: userId,
        runAsGroup: userId,
        fsGroup: userId,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' }
      },
      affinity: { podAntiAffinity: antiAffinity(name) },
      topologySpreadConstraints: [{
        maxSkew: 1,
        topologyKey: cluster.spec.topologyKey,
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: selectorLabels(name) }
      }],
      containers: [container(cluster, options)],
      volumes: [{ name: 'config', configMap: { name: names.configMap(name) } }]
    }
  }
}

/** Two brokers on one host die together; a small cluster may still have to share one. */
function antiAffinity (cluster: string): object {
  return {
    preferredDuringSchedulingIgnoredDuringExecution: [{
      weight: 100,
      podAffinityTerm: {
        topologyKey: hostnameKey,
        labelSelector: { matchLabels: selectorLabels(cluster) }
      }
    }]
  }
}

function container (cluster: Cluster, options: PodTemplateOptions): object {
  const { resources, image = options.image } = cluster.spec
  return {
    name: brokerContainer,
    image,
    args: ['broker'],
    env: environment(cluster, options.clusterUid),
    ports: [
      ...Object.entries(ports), ...(cluster.spec.listeners ?? []).map(({ name, port }) => [name, port] as const)
    ].map(([name, containerPort]) => ({ name, containerPort, protocol: 'TCP' })),
    ...resources !== undefined && { resources },
    // Why a broker gave up is told in the Cluster's conditions.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }
    },
    startupProbe: probe('/livez', { periodSeconds: 1, failureThreshold: startupSecondsMax }),
    readinessProbe: probe('/readyz', { periodSeconds: 2, failureThreshold: 2 }),
    livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5 }),
    volumeMounts: [
      { name: dataVolume, mountPath: dataFolder },
      { name: 'config', mountPath: configFolder, readOnly: true }
    ]
  }
}

function probe (path: string, timing: object): object {
  return { httpGet: { path, port: 'metrics' }, ...timing }
}

/**
 * Addresses are said, never guessed: brokers tell them to the controller when they register. Those of pods, not their
 * names: a name goes on standing for a pod's former address for as long as DNS remembers it
 * (docs/decisions/0018-addresses-of-pods.md).
 */
function environment (cluster: Cluster, clusterUid: string): object[] {
  const name = cluster.metadata.name
  const host = '$(MILLRACE_POD_IP)'
  return [
    { name: 'MILLRACE_CLUSTER', value: name },
    { name: 'MILLRACE_CLUSTER_UID', value: clusterUid },
    { name: 'MILLRACE_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
    { name: 'MILLRACE_POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'MILLRACE_POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    { name: 'MILLRACE_NODE_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    { name: 'MILLRACE_NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    { name: 'MILLRACE_RACK', valueFrom: { fieldRef: { fieldPath: rackField(cluster.spec.topologyKey) } } },
    { name: 'MILLRACE_DATA', value: dataFolder },
    { name: 'MILLRACE_CONFIG', value: `${configFolder}/${configFile}` },
    { name: 'MILLRACE_ADVERTISE_CLIENT', value: `${host}:${ports.client}` },
    { name: 'MILLRACE_ADVERTISE_PEER', value: `${host}:${ports.peer}` },
    // Cold reads must not keep the journal's fsync waiting for a thread; Node has four by itself.
    { name: 'UV_THREADPOOL_SIZE', value: '8' }
  ]
}

/**
 * Where a pod can read the rack by itself: what it goes by where it is not told (racks.ts). Zone and region labels of
 * the node are copied to its pods from Kubernetes 1.35 on (KEP-4742); any other reads as empty.
 */
function rackField (topologyKey: string): string {
  return topologyKey === hostnameKey ? 'spec.nodeName' : `metadata.labels['${topologyKey}']`
}
