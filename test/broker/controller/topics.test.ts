import { describe, expect, test } from 'vitest'
import { newLoad } from '../../../broker/controller/placement.ts'
import { TableDraft } from '../../../broker/controller/table.ts'
import { alterTopic, checkTopic, createTopic, deleteTopic, groupsWish } from '../../../broker/controller/topics.ts'
import type { PlacementFacts } from '../../../broker/controller/topics.ts'
import type { ApplyTopicRequest } from '../../../wire/messages.ts'
import type { WireError } from '../../../wire/errors.ts'
import { broker, facts, id, table, topicId, volumeOf } from './make.ts'

function request (changes: Partial<ApplyTopicRequest> = {}): ApplyTopicRequest {
  return {
    name: 'orders', partitions: 3, replicas: 3, minInSync: 0, retentionMs: 0, retentionBytes: 0, segmentBytes: 0,
    ownerUid: 'uid', ...changes
  }
}

function placement (live = [0, 1, 2], known = [0, 1, 2]): PlacementFacts {
  return {
    brokers: known.map(brokerId => broker(brokerId)),
    members: facts(Object.fromEntries(live.map(brokerId => [brokerId, 'live']))),
    isLive: brokerId => live.includes(brokerId),
    load: newLoad()
  }
}

function codeOf (run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as WireError).code
  }
  return ''
}

function created (placed = placement(), changes: Partial<ApplyTopicRequest> = {}) {
  const draft = new TableDraft(table())
  createTopic(draft, checkTopic(request(changes), 3), topicId, placed)
  return draft.finish(1, 'w')
}

describe('what is asked for', () => {
  test('defaults: a majority of the replicas, replicas by the size of the cluster, a week', () => {
    expect(checkTopic(request({ replicas: 0 }), 5)).toMatchObject({
      replicas: 3, minInSync: 2, retentionMs: 7 * 24 * 3_600_000, retentionBytes: -1, segmentBytes: 1024 ** 3,
      internal: false
    })
    expect(checkTopic(request({ replicas: 0 }), 1)).toMatchObject({ replicas: 1, minInSync: 1 })
    expect(checkTopic(request({ replicas: 5 }), 5).minInSync).toBe(3)
    expect(groupsWish(2)).toMatchObject({ name: '__groups', partitions: 8, replicas: 2, minInSync: 2 })
  })

  test.each([
    { name: '' }, { name: '.' }, { name: '..' }, { name: 'a/b' }, { name: 'x'.repeat(250) }, { name: '__groups' },
    { partitions: 0 }, { partitions: 2_001 }, { partitions: -1 }, { replicas: 8 }, { replicas: -1 },
    { minInSync: 4 }, { minInSync: -1 }, { segmentBytes: 5 }
  ])('refused: %j', changes => {
    expect(codeOf(() => checkTopic(request(changes), 3))).toBe('INVALID_TOPIC')
  })
})

describe('a topic is made', () => {
  test('with every live replica in sync before it exists', () => {
    const rows = created().rows.get(topicId) ?? []
    expect(rows.map(row => row.leader).sort()).toEqual([0, 1, 2])
    for (const row of rows) {
      expect(row).toMatchObject({ leaderEpoch: 1, version: 1, minInSync: 2, leader: row.replicas[0] })
      expect(row.inSync).toEqual(row.replicas.map(brokerId => id(brokerId)))
    }
  })

  test('with a broker that is away as a replica that joins later', () => {
    for (const row of created(placement([0, 2])).rows.get(topicId) ?? []) {
      expect(row.replicas).toHaveLength(3)
      expect(row.leader).not.toBe(1)
      expect(row.inSync.map(member => member.volumeId).sort()).toEqual([volumeOf(0), volumeOf(2)])
    }
  })

  test('not without brokers for all replicas, not while fewer live than the floor wants', () => {
    expect(codeOf(() => created(placement([0, 1], [0, 1])))).toBe('NOT_ENOUGH_BROKERS')
    expect(codeOf(() => created(placement([2])))).toBe('NOT_ENOUGH_BROKERS')
  })
})

describe('a topic is altered', () => {
  function altered (
    changes: Partial<ApplyTopicRequest>, placed = placement([0, 1, 2, 3], [0, 1, 2, 3]),
    first: Partial<ApplyTopicRequest> = {}
  ) {
    const base = { ...created(placement(), first) }
    const draft = new TableDraft(base)
    alterTopic(draft, base.topics.get(topicId)!, checkTopic(request({ ...first, ...changes }), 4), placed)
    return { base, draft, next: draft.finish(1, 'x') }
  }

  test('the same again changes nothing', () => {
    expect(altered({}).draft.changed).toBe(false)
  })

  test('settings change, rows stay', () => {
    const { base, next } = altered({ retentionMs: 1_000 })
    expect(next.topics.get(topicId)?.retentionMs).toBe(1_000)
    expect(next.rows.get(topicId)).toBe(base.rows.get(topicId))
  })

  test('partitions grow, where there is least', () => {
    const { base, next } = altered({ partitions: 5 })
    const rows = next.rows.get(topicId)!
    expect(rows.slice(0, 3)).toEqual(base.rows.get(topicId))
    expect(rows.length).toBe(5)
    expect(rows[3]?.leader).toBe(3)
    expect(next.topics.get(topicId)?.partitions).toBe(5)
  })

  test('replicas grow by a move: learners are named, the floor waits for them', () => {
    const { base, next } = altered({ replicas: 3 }, placement(), { replicas: 1 })
    for (const row of next.rows.get(topicId)!) {
      const before = base.rows.get(topicId)![row.partition]!.replicas
      expect(row.replicas.toSorted()).toEqual([0, 1, 2])
      expect(row.replicas.slice(0, 1)).toEqual(before)
      expect(row.adding).toEqual(row.replicas.slice(1))
      expect(row).toMatchObject({ version: 2, leaderEpoch: 1, minInSync: 1 })
      expect(row.inSync).toHaveLength(1)
    }
    expect(next.topics.get(topicId)).toMatchObject({ replicas: 3, minInSync: 2 })
  })

  test('replicas shrink by a move: the leader stays, the set is whole until it is completed', () => {
    const { base, next } = altered({ replicas: 2, minInSync: 2 }, placement())
    for (const row of next.rows.get(topicId)!) {
      const before = base.rows.get(topicId)![row.partition]!
      const { leader, inSync } = before
      expect(row).toMatchObject({ leader, leaderEpoch: 1, version: 2, inSync, adding: [] })
      expect(row.removing).toHaveLength(1)
      expect(row.replicas[0]).toBe(before.leader)
      expect(row.replicas.toSorted()).toEqual([0, 1, 2])
    }
    const removed = next.rows.get(topicId)!.flatMap(row => row.removing)
    expect(removed.toSorted()).toEqual([0, 1, 2])
    expect(codeOf(() => altered({ replicas: 2, minInSync: 3 }))).toBe('INVALID_TOPIC')
  })

  test('a broker that is away leaves before one that is in sync', () => {
    const { next } = altered({ replicas: 2 }, placement([0, 2]))
    for (const row of next.rows.get(topicId)!) {
      expect(row.removing).toEqual(row.leader === 1 ? [expect.anything()] : [1])
    }
  })

  test('not by another owner, not to fewer partitions', () => {
    expect(codeOf(() => altered({ ownerUid: 'other' }))).toBe('TOPIC_CONFLICT')
    expect(codeOf(() => altered({ partitions: 2 }))).toBe('PARTITIONS_SHRINK')
  })

  test('an orphan is adopted', () => {
    const base = created()
    const orphaning = new TableDraft(base)
    deleteTopic(orphaning, base.topics.get(topicId)!, { name: 'orders', topicId, deleteData: false })
    const orphaned = orphaning.finish(1, 'x')
    expect(orphaned.topics.get(topicId)).toMatchObject({ orphaned: true, ownerUid: '', deleting: false })
    const adopting = new TableDraft(orphaned)
    alterTopic(adopting, orphaned.topics.get(topicId)!, checkTopic(request({ ownerUid: 'new' }), 3), placement())
    expect(adopting.topics.get(topicId)).toMatchObject({ orphaned: false, ownerUid: 'new', topicId })
  })
})

test('a topic with data to delete is marked; internal ones cannot be deleted', () => {
  const base = created()
  const draft = new TableDraft(base)
  deleteTopic(draft, base.topics.get(topicId)!, { name: 'orders', topicId, deleteData: true })
  expect(draft.topics.get(topicId)?.deleting).toBe(true)
  const internal = { ...base.topics.get(topicId)!, internal: true }
  expect(codeOf(() => { deleteTopic(draft, internal, { name: 'x', topicId, deleteData: true }) })).toBe('INVALID_TOPIC')
})
