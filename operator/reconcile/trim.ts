// What of the watched objects is kept. An operator may hold thousands: what nobody here reads would cost more memory
// than what somebody does.
import type { KubeObject } from '../kube/types.ts'
import { group } from '../schema/crd.ts'
import type { Topic } from '../schema/resources.ts'

/** Labels and notes of others are theirs: tools of deployment leave kilobytes in them. */
export function trimTopic (topic: Topic & KubeObject): Topic & KubeObject {
  const { labels: _theirs, annotations, ownerReferences: _owners, ...metadata } = topic.metadata
  const ours = Object.entries(annotations ?? {}).filter(([name]) => name.startsWith(`${group}/`))
  return {
    ...topic, metadata: { ...metadata, ...ours.length > 0 && { annotations: Object.fromEntries(ours) } }
  }
}

interface PodParts {
  readonly spec?: { readonly containers?: readonly Record<string, unknown>[], readonly [field: string]: unknown }
  readonly status?: Readonly<Record<string, unknown>>
}

/** Its name and its labels, of which a kubelet and a cloud leave dozens beside annotations. */
export function trimNode ({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { annotations: _theirs, finalizers: _too, ...kept } = metadata
  return { apiVersion, kind, metadata: kept }
}

/** Where it runs, how it is, and what restart-reason.ts compares. */
export function trimPod (pod: KubeObject): KubeObject {
  const { spec = {}, status } = pod as PodParts
  const { nodeName, nodeSelector, tolerations, priorityClassName, imagePullSecrets } = spec
  const containers = spec.containers?.map(({ name, image, resources }) => ({ name, image, resources }))
  const { apiVersion, kind, metadata } = pod
  return {
    apiVersion,
    kind,
    metadata,
    spec: { containers, nodeName, nodeSelector, tolerations, priorityClassName, imagePullSecrets },
    ...status !== undefined && {
      status: {
        hostIP: status['hostIP'], conditions: status['conditions'], containerStatuses: status['containerStatuses']
      }
    }
  }
}

/** For kinds of which the API server is asked for nothing else: an answer to an own write has all of it. */
export function onlyMetadata ({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata }
}
