import { expect, it } from 'vitest'
import type { KubeObject } from '../../../operator/kube/types.ts'
import { podTemplate } from '../../../operator/objects/pod-template.ts'
import { restartReason } from '../../../operator/reconcile/restart-reason.ts'
import type { ClusterSpec } from '../../../operator/schema/cluster.ts'
import { clusterOf } from '../objects/fixtures.ts'

const options = { image: 'millrace:0.1.0', clusterUid: 'u' }

/** A pod as it runs: what Kubernetes adds is there too. */
function podOf (spec: Partial<ClusterSpec>): KubeObject {
  const { metadata, spec: pod } = podTemplate(clusterOf(spec), options)
  const added = { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata, name: 'events-0', labels: { ...metadata.labels, 'apps.kubernetes.io/pod-index': '0' }
    },
    spec: { ...pod, priority: 0, tolerations: [...(pod['tolerations'] as object[] | undefined ?? []), added] }
  }
}

it.each<[string, Partial<ClusterSpec>, Partial<ClusterSpec>, string]>([
  ['an image', {}, { image: 'millrace:next' }, 'its image changes from millrace:0.1.0 to millrace:next'],
  ['listeners', {}, { listeners: [{ name: 'nodes', type: 'nodePort', port: 9094 }] }, 'its listeners changed'],
  ['resources', { resources: { requests: { cpu: '1' } } }, { resources: { requests: { cpu: '2' } } },
    'its resources changed'],
  ['resources in other words and a label', { resources: { requests: { cpu: '1' } } },
    { resources: { requests: { cpu: '1000m' } }, pod: { labels: { team: 'a' } } }, 'its labels changed'],
  ['placement', { pod: { nodeSelector: { disk: 'nvme' } } },
    {
      pod: {
        tolerations: [{ key: 'a', operator: 'Exists' }], priorityClassName: 'high', imagePullSecrets: [{ name: 'x' }]
      }
    },
    'its nodeSelector, tolerations, priorityClassName, imagePullSecrets changed'],
  ['an annotation and an image', {}, { image: 'millrace:next', pod: { annotations: { 'example.com/a': 'b' } } },
    'its image changes from millrace:0.1.0 to millrace:next; its annotations changed'],
  ['something else', {}, { topologyKey: 'kubernetes.io/hostname' }, 'its pod template changed']
])('%s', (_what, before, after, said) => {
  expect(restartReason(podOf(before), podTemplate(clusterOf(after), options))).toBe(said)
})
