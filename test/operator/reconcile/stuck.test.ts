import { expect, it } from 'vitest'
import type { KubeObject } from '../../../operator/kube/types.ts'
import { stuckReason } from '../../../operator/reconcile/stuck.ts'

function pod (status: object): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'events-0' }, status }
}

const waiting = (reason: string, message?: string): KubeObject =>
  pod({ containerStatuses: [{ state: { waiting: { reason, message } } }] })

it.each<[string, KubeObject, string | undefined]>([
  ['a crash loop', waiting('CrashLoopBackOff', 'back-off 5m'), 'CrashLoopBackOff: back-off 5m'],
  ['a broker that says why', pod({ containerStatuses: [{
    state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m' } },
    lastState: { terminated: { message: '{"level":30}\nbroker: WRONG_CLUSTER: the volume belongs to cluster a\n' } }
  }] }), 'CrashLoopBackOff: broker: WRONG_CLUSTER: the volume belongs to cluster a'],
  ['an image that is not there', waiting('ImagePullBackOff', 'not found'), 'ImagePullBackOff: not found'],
  ['a Secret that is not there', waiting('CreateContainerConfigError'), 'CreateContainerConfigError'],
  ['no node', pod({
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }]
  }), 'Unschedulable: 0/3 nodes'],
  ['one that is being made', waiting('ContainerCreating'), undefined],
  ['one that recovers its volume', pod({ containerStatuses: [{ ready: false, state: { running: {} } }] }), undefined],
  ['one that is scheduled', pod({ conditions: [{ type: 'PodScheduled', status: 'True' }] }), undefined],
  ['one without a status', pod({}), undefined]
])('%s', (_what, object, reason) => { expect(stuckReason(object)).toBe(reason) })
