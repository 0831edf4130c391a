import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../operator/kube/types.ts'
import type { PodTemplate } from '../../../operator/objects/pod-template.ts'
import { podTemplate } from '../../../operator/objects/pod-template.ts'
import { isReady } from '../../../operator/reconcile/cluster-context.ts'
import { restartReason } from '../../../operator/reconcile/restart-reason.ts'
import { stuckReason } from '../../../operator/reconcile/stuck.ts'
import { onlyMetadata, trimNode, trimPod, trimTopic } from '../../../operator/reconcile/trim.ts'
import type { Topic } from '../../../operator/schema/resources.ts'
import { clusterOf } from '../objects/fixtures.ts'
import { readyStatus } from '../scale/kubelet.ts'

function pod (template: PodTemplate, status: object): KubeObject {
  const metadata = { name: 'events-1', ...template.metadata }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: template.spec, status }
}

const options = { image: 'millrace:0.1.0', clusterUid: 'u' }

describe('what is kept', () => {
  it('of a pod answers all that is asked of it, in less than half of the size', () => {
    const placed = clusterOf({ pod: { nodeSelector: { disk: 'fast' } } })
    const whole = pod(podTemplate(placed, options), readyStatus(1))
    const kept = trimPod(whole)
    expect(isReady(kept)).toBe(true)
    expect((kept['status'] as { hostIP: string }).hostIP).toBe('10.0.0.2')
    expect(JSON.stringify(kept).length).toBeLessThan(JSON.stringify(whole).length / 2)
    for (const spec of [{}, { image: 'other:1' }, { pod: { nodeSelector: { disk: 'slow' } } },
      { resources: { limits: { memory: '2Gi' } } }, { pod: { labels: { team: 'a' } } }]) {
      const template = podTemplate(clusterOf(spec), options)
      expect(restartReason(kept, template)).toBe(restartReason(whole, template))
    }
    const status = { containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff' } } }] }
    expect(stuckReason(trimPod({ ...whole, status }))).toBe('ImagePullBackOff')
  })

  it('of a Topic is without what others wrote on it', () => {
    const topic: Topic & KubeObject = {
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'Topic',
      metadata: {
        name: 'orders',
        namespace: 'n',
        uid: 'u',
        resourceVersion: '7',
        generation: 2,
        creationTimestamp: '2026-01-01T00:00:00Z',
        finalizers: ['millrace.dev/delete-data', 'theirs/one'],
        labels: { 'argocd.argoproj.io/instance': 'shop' },
        annotations: { 'millrace.dev/paused': 'true', 'argocd.argoproj.io/tracking-id': 'x'.repeat(1_000) }
      },
      spec: { cluster: 'events', deletePolicy: 'Retain' }
    }
    const { labels: _labels, ...metadata } = topic.metadata
    expect(trimTopic(topic)).toEqual({
      ...topic, metadata: { ...metadata, annotations: { 'millrace.dev/paused': 'true' } }
    })
  })

  it('of a node are its name and its labels', () => {
    const kept = { name: 'n', uid: 'u', resourceVersion: '7', labels: { 'example.com/hall': 'a' } }
    const metadata = { ...kept, annotations: { 'csi.volume.kubernetes.io/nodeid': 'x'.repeat(1_000) } }
    expect(trimNode({ apiVersion: 'v1', kind: 'Node', metadata, status: {} }))
      .toEqual({ apiVersion: 'v1', kind: 'Node', metadata: kept })
  })

  it('of a table is its metadata', () => {
    const table = { apiVersion: 'a', kind: 'PartitionTable', metadata: { name: 'events-0' }, spec: { rows: ['0'] } }
    expect(onlyMetadata(table)).toEqual({ apiVersion: 'a', kind: 'PartitionTable', metadata: { name: 'events-0' } })
  })
})
