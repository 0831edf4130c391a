// The parts of built-in kinds that the local controllers read and write.
import type { KubeApi, KubeObject } from '../kube/api.ts'

/** What pods need of an API server. */
export type PodApi = Pick<KubeApi, 'url' | 'get' | 'watch' | 'patch' | 'delete' | 'onLogs'>

export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string }, readonly [source: string]: unknown }
}

export interface ContainerPort {
  readonly name?: string
  readonly containerPort: number
}

export interface Probe {
  readonly httpGet?: { readonly path?: string, readonly port: string | number }
  readonly initialDelaySeconds?: number
  readonly periodSeconds?: number
  readonly timeoutSeconds?: number
  readonly failureThreshold?: number
}

export interface Container {
  readonly name: string
  readonly image?: string
  readonly args?: readonly string[]
  readonly env?: readonly EnvVar[]
  readonly ports?: readonly ContainerPort[]
  readonly volumeMounts?: readonly { readonly name: string, readonly mountPath: string }[]
  readonly startupProbe?: Probe
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
}

export interface Volume {
  readonly name: string
  readonly configMap?: { readonly name: string }
  readonly persistentVolumeClaim?: { readonly claimName: string }
  readonly emptyDir?: object
}

export interface PodSpec {
  readonly containers: readonly Container[]
  readonly volumes?: readonly Volume[]
  readonly terminationGracePeriodSeconds?: number
  readonly nodeName?: string
  readonly serviceAccountName?: string
  readonly [field: string]: unknown
}

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

export interface ContainerStatus {
  readonly name: string
  readonly ready: boolean
  readonly started: boolean
  readonly restartCount: number
  readonly [field: string]: unknown
}

export interface Pod extends KubeObject {
  spec: PodSpec
  status?: {
    readonly phase?: string
    readonly conditions?: readonly Condition[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly [field: string]: unknown
  }
}

export interface ClaimTemplate {
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: Readonly<Record<string, unknown>>
}

export interface StatefulSet extends KubeObject {
  spec: {
    readonly replicas?: number
    readonly serviceName?: string
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> }
    readonly template: {
      readonly metadata?: {
        readonly labels?: Readonly<Record<string, string>>
        readonly annotations?: Readonly<Record<string, string>>
      }
      readonly spec: PodSpec
    }
    readonly volumeClaimTemplates?: readonly ClaimTemplate[]
  }
  status?: StatefulSetStatus
}

export interface StatefulSetStatus {
  readonly observedGeneration: number
  readonly replicas: number
  readonly readyReplicas: number
  readonly availableReplicas: number
  readonly currentReplicas: number
  readonly updatedReplicas: number
  readonly currentRevision: string
  readonly updateRevision: string
  readonly collisionCount: number
}

export interface Claim extends KubeObject {
  spec: {
    readonly volumeName?: string
    readonly accessModes?: readonly string[]
    readonly resources?: { readonly requests?: Readonly<Record<string, string>> }
  }
}

export interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly targetPort?: string | number
}

export interface Service extends KubeObject {
  spec: {
    readonly clusterIP?: string
    readonly selector?: Readonly<Record<string, string>>
    readonly ports?: readonly ServicePort[]
    readonly publishNotReadyAddresses?: boolean
  }
}

/** On pods: the process. */
export const pidAnnotation = 'millrace.dev/pid'
/** On pods and Services: JSON of the name of a port to its number on 127.0.0.1. */
export const portsAnnotation = 'millrace.dev/ports'

/** Where everything runs. */
export const address = '127.0.0.1'
export const nodeName = 'localhost'

export function keyOf (object: { metadata: { name?: string, namespace?: string } }): string {
  return `${object.metadata.namespace ?? 'default'}/${object.metadata.name ?? ''}`
}

export function isReady (pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined &&
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
}

export function matches (labels: Readonly<Record<string, string>> | undefined,
  selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([name, value]) => labels?.[name] === value)
}

/** The ports that a pod's process listens at, by name; empty while it has none. */
export function portsOf (object: KubeObject): Record<string, number> {
  try {
    const ports: unknown = JSON.parse(object.metadata.annotations?.[portsAnnotation] ?? '{}')
    if (typeof ports !== 'object' || ports === null) return {}
    return Object.fromEntries(Object.entries(ports).filter(([, port]) => Number.isInteger(port)))
  } catch {
    // Anybody may write annotations.
    return {}
  }
}
