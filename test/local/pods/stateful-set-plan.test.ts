import { describe, expect, it } from 'vitest'
import { planStatefulSet, revisionOf } from '../../../local/pods/stateful-set-plan.ts'
import type { Plan } from '../../../local/pods/stateful-set-plan.ts'
import type { Pod, StatefulSet } from '../../../local/pods/types.ts'
import { statefulSet } from './fixtures.ts'

function set (replicas: number, image = 'millrace:test'): StatefulSet {
  const made = statefulSet(replicas)
  made.metadata.uid = 'set-uid'
  made.metadata.generation = 3
  Object.assign(made.spec.template.spec.containers[0]!, { image })
  return made
}

/** The pods and claims that a plan makes, as they are afterwards. */
function carriedOut (plan: Plan): { pods: Pod[], claims: Set<string> } {
  const ready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' as const }] }
  return {
    pods: plan.pods.map(pod => ({ ...pod, status: ready })),
    claims: new Set(plan.claims.map(({ metadata }) => metadata.name))
  }
}

const nothing = { pods: [], claims: new Set<string>() }
const plan = (of: StatefulSet, { pods, claims }: { pods: Pod[], claims: Set<string> }): Plan =>
  planStatefulSet(of, pods, claims)
const names = (objects: { metadata: { name: string } }[]): string[] => objects.map(({ metadata }) => metadata.name)

describe('planStatefulSet', () => {
  it('makes all pods at once, each with its claims', () => {
    const made = plan(set(2), nothing)
    expect(names(made.claims)).toEqual(['data-events-0', 'data-events-1'])
    expect(names(made.pods)).toEqual(['events-0', 'events-1'])
    expect(made.claims[0]?.metadata.ownerReferences).toBeUndefined()
    expect(made.pods[1]).toMatchObject({
      metadata: {
        namespace: 'default',
        labels: { app: 'fake', 'statefulset.kubernetes.io/pod-name': 'events-1', 'apps.kubernetes.io/pod-index': '1' },
        ownerReferences: [{ kind: 'StatefulSet', name: 'events', uid: 'set-uid', controller: true }]
      },
      spec: {
        hostname: 'events-1',
        subdomain: 'events-brokers',
        volumes: [
          { name: 'config', configMap: { name: 'events-config' } },
          { name: 'data', persistentVolumeClaim: { claimName: 'data-events-1' } }
        ]
      }
    })
  })

  it('has nothing to do when all is there, and says so in the status', () => {
    const wanted = set(2)
    const { pods, claims, remove, adopt, status } = plan(wanted, carriedOut(plan(wanted, nothing)))
    expect([pods, claims, remove, adopt]).toEqual([[], [], [], []])
    const revision = revisionOf(wanted)
    expect(status).toEqual({
      observedGeneration: 3, replicas: 2, readyReplicas: 2, availableReplicas: 2, currentReplicas: 2,
      updatedReplicas: 2, currentRevision: revision, updateRevision: revision, collisionCount: 0
    })
  })

  it('keeps claims when it shrinks', () => {
    const before = carriedOut(plan(set(3), nothing))
    const after = plan(set(1), before)
    expect(after.remove).toEqual(['events-1', 'events-2'])
    expect(after.claims).toEqual([])
  })

  it('replaces a pod only after it was deleted, by the newest template', () => {
    const old = set(2)
    const before = carriedOut(plan(old, nothing))
    const changed = { ...set(2, 'millrace:next'), status: plan(old, before).status }
    const waiting = plan(changed, before)
    expect([waiting.pods, waiting.remove]).toEqual([[], []])
    expect(waiting.status).toMatchObject({
      currentReplicas: 2, updatedReplicas: 0, currentRevision: revisionOf(old), updateRevision: revisionOf(changed)
    })
    const replaced = plan(changed, { ...before, pods: before.pods.slice(1) })
    expect(replaced.pods[0]?.spec.containers[0]?.image).toBe('millrace:next')
  })

  it('waits for a pod that is being deleted, and does not count it', () => {
    const before = carriedOut(plan(set(1), nothing))
    before.pods[0]!.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
    const after = plan(set(1), before)
    expect([after.pods, after.remove, after.status.replicas]).toEqual([[], [], 0])
  })

  it('replaces pods that have ended for good', () => {
    const before = carriedOut(plan(set(1), nothing))
    before.pods[0]!.status = { phase: 'Failed' }
    expect(plan(set(1), before).remove).toEqual(['events-0'])
  })

  it('adopts orphans of its name and labels, and leaves others alone', () => {
    const before = carriedOut(plan(set(2), nothing))
    const [orphan, other] = before.pods
    delete orphan!.metadata.ownerReferences
    other!.metadata.ownerReferences![0]!.uid = 'another-set'
    const stranger = { ...orphan!, metadata: { ...orphan!.metadata, name: 'events-x' } }
    const after = plan(set(1), { ...before, pods: [orphan!, other!, stranger] })
    expect([after.adopt, after.remove, after.pods]).toEqual([['events-0'], [], []])
  })
})
