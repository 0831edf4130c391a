import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../operator/kube/types.ts'
import { claimOrdinal, judgeClaims } from '../../../operator/objects/claims.ts'
import type { Cluster } from '../../../operator/schema/resources.ts'
import { clusterOf } from './fixtures.ts'

const own = clusterOf().metadata.uid!

function claim (ordinal: number, clusterUid?: string, marks: Record<string, string> = {}): KubeObject {
  const annotations = { ...clusterUid !== undefined && { 'millrace.dev/cluster-uid': clusterUid }, ...marks }
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: `data-events-${ordinal}`, uid: `c${ordinal}`, annotations }
  }
}

const marked = (ordinal: number, clusterUid: string): KubeObject =>
  claim(ordinal, clusterUid, { 'millrace.dev/claim-uid': `c${ordinal}` })

function asked (uid: string): Cluster {
  const cluster = clusterOf()
  return { ...cluster, metadata: { ...cluster.metadata, annotations: { 'millrace.dev/adopt-volumes': uid } } }
}

it('a claim is known by its name', () => {
  expect(claimOrdinal('events', 'data-events-12')).toBe(12)
  for (const other of ['data-events-1-0', 'data-other-1', 'data-events-', 'data-events-01', 'logs-events-1']) {
    expect(claimOrdinal('events', other)).toBe(-1)
  }
  expect(claimOrdinal('events-1', 'data-events-1-0')).toBe(0)
})

describe('a Cluster without brokers', () => {
  it('begins with its own uid where there is nothing', () => {
    expect(judgeClaims(clusterOf(), [])).toEqual({ uid: own, adopted: [] })
    expect(judgeClaims(clusterOf(), [{ ...claim(0, 'a'), metadata: { name: 'data-other-0' } }]).adopted).toEqual([])
  })

  it('serves what it has left itself, what an earlier one has left, and what says nothing', () => {
    expect(judgeClaims(clusterOf(), [claim(0, own), claim(1, own)]))
      .toEqual({ uid: own, adopted: ['data-events-0', 'data-events-1'] })
    expect(judgeClaims(clusterOf(), [marked(0, 'a'), marked(1, 'a')]))
      .toEqual({ uid: 'a', adopted: ['data-events-0', 'data-events-1'] })
    expect(judgeClaims(clusterOf(), [claim(0)])).toEqual({ uid: own, adopted: ['data-events-0'] })
  })

  it('refuses copies of volumes and says how to take them over', () => {
    // As a backup brings it back: all that was written on it, but another uid.
    const copied = claim(0, 'a', { 'millrace.dev/claim-uid': 'the uid before' })
    expect(judgeClaims(clusterOf(), [copied, claim(1, 'a')]).refused).toBe(
      'PersistentVolumeClaim data-events-0, data-events-1 hold data of another cluster (uid a): to serve that data ' +
      'set the annotation millrace.dev/adopt-volumes: a on this Cluster; to begin empty delete or rename the claims')
    expect(judgeClaims(asked('b'), [copied]).refused).toMatch(/another cluster \(uid a\)/)
    expect(judgeClaims(asked('a'), [copied, claim(1, 'a'), claim(2)])).toEqual({
      uid: 'a', adopted: ['data-events-0', 'data-events-1', 'data-events-2']
    })
  })

  it('is told whose data volumes hold that say nothing', () => {
    expect(judgeClaims(asked('a'), [claim(0), claim(1)]).uid).toBe('a')
    expect(judgeClaims(asked('a'), []).uid).toBe(own)
  })

  it('refuses volumes of several clusters, whatever is asked for', () => {
    expect(judgeClaims(clusterOf(), [marked(0, 'a'), claim(1, own)]).refused).toMatch(/data of several clusters/)
    expect(judgeClaims(asked('b'), [marked(0, 'a'), claim(1, 'b')]).refused).toMatch(/data of several clusters/)
    expect(judgeClaims(clusterOf(), [claim(0, 'a'), claim(1, 'b')]).refused)
      .toMatch(/\(uids a, b\): keep those of one, delete or rename the others$/)
  })

  it('does not look at volumes that are being deleted', () => {
    const going = claim(0, 'a')
    const metadata = { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' }
    expect(judgeClaims(clusterOf(), [{ ...going, metadata }])).toEqual({ uid: own, adopted: [] })
  })
})

describe('more brokers', () => {
  it('get the volumes that brokers before them left', () => {
    expect(judgeClaims(clusterOf(), [claim(3, 'a')], 'a')).toEqual({ uid: 'a', adopted: ['data-events-3'] })
    expect(judgeClaims(clusterOf(), [claim(3)], 'a').refused).toBeUndefined()
  })

  it('are refused where another cluster has left one', () => {
    for (const cluster of [clusterOf(), asked('a')]) {
      expect(judgeClaims(cluster, [marked(3, 'b')], 'a').refused).toBe(
        'PersistentVolumeClaim data-events-3 holds data of another cluster (uid b), not of a: delete or rename the ' +
        'claims, or ask for fewer brokers')
    }
    expect(judgeClaims(asked('b'), [marked(3, 'b')], 'a').refused).toMatch(/data of several clusters/)
  })
})
