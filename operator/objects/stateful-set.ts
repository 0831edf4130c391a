import type { KubeObject } from '../kube/types.ts'
import type { Cluster } from '../schema/resources.ts'
import { clusterUidAnnotation, dataVolume, names, owned, selectorLabels } from './names.ts'
import { podTemplate, type PodTemplateOptions } from './pod-template.ts'

export interface StatefulSetOptions extends PodTemplateOptions {
  /** The reconciler decides: brokers that hold something are counted, whatever the spec says. */
  readonly replicas: number
}

/**
 * Parallel: brokers do not wait for each other to start. OnDelete: the operator rolls, when the cluster
 * says that it may. Retain: volumes outlive pods, scale-downs and the StatefulSet.
 */
export function statefulSet (cluster: Cluster, options: StatefulSetOptions): KubeObject {
  const name = cluster.metadata.name
  const { className, size } = cluster.spec.storage
  return owned(cluster, 'apps/v1', 'StatefulSet', names.statefulSet(name), {
    spec: {
      replicas: options.replicas,
      serviceName: names.headlessService(name),
      selector: { matchLabels: selectorLabels(name) },
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      template: podTemplate(cluster, options),
      volumeClaimTemplates: [{
        metadata: {
          name: dataVolume,
          labels: selectorLabels(name),
          annotations: { [clusterUidAnnotation]: options.clusterUid }
        },
        spec: {
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: size } },
          ...className !== undefined && { storageClassName: className }
        }
      }]
    }
  })
}

/** Of the cluster whose data its brokers serve, by which they know each other; undefined where there is none. */
export function clusterUidOf (statefulSet: KubeObject | undefined): string | undefined {
  const spec = statefulSet?.['spec'] as { volumeClaimTemplates?: KubeObject[] } | undefined
  return spec?.volumeClaimTemplates?.[0]?.metadata.annotations?.[clusterUidAnnotation]
}
