// For every class of anomaly a history that has it, and histories that look bad and are not.
import { describe, expect, test } from 'vitest'
import type { AnomalyKind } from './anomaly.ts'
import { anomalyKinds } from './anomaly.ts'
import { checkHistory } from './checker.ts'
import { checkGroups } from './groups.ts'
import type { Operation, Outcome } from './history.ts'
import { History } from './history.ts'
import { findStuck } from './liveness.ts'
import { findDivergedReplicas } from './replicas.ts'

const key = 't-0'

interface Line { process?: string, at?: number, end?: number, outcome?: Outcome }

function base ({ process = 'p', at = 0, end, outcome = 'ok' }: Line) {
  return { process, startMs: at, endMs: end ?? (outcome === 'unknown' ? Infinity : at + 1), outcome }
}

function send (value: string, offset: number | undefined, line: Line & { batch?: number } = {}): Operation {
  return {
    kind: 'send', key, value, ...base(line),
    ...(offset === undefined ? {} : { offset }), ...(line.batch === undefined ? {} : { batch: line.batch })
  }
}

/** 'a@0 b@1' */
function poll (text: string, line: Line = {}): Operation {
  const records = text.split(' ').filter((word) => word !== '').map((word) => {
    const [value = '', offset = ''] = word.split('@')
    return { key, value, offset: Number(offset) }
  })
  return { kind: 'poll', records, ...base({ process: 'c', ...line }) }
}

function assign (offset: number | undefined, line: Line = {}): Operation {
  return { kind: 'assign', positions: [{ key, offset }], ...base({ process: 'c', ...line }) }
}

function ends (offset: number, line: Line = {}): Operation {
  return { kind: 'ends', offsets: [{ key, offset }], ...base({ process: 'c', ...line }) }
}

function commit (offset: number, line: Line): Operation {
  return { kind: 'commit', group: 'g', offsets: [{ key, offset }], ...base({ process: 'c', ...line }) }
}

function committed (offset: number | undefined, line: Line): Operation {
  return { kind: 'committed', group: 'g', offsets: [{ key, offset }], ...base({ process: 'c', ...line }) }
}

const found = new Set<AnomalyKind>()

function kinds (history: Operation[], drained = false, removedBelow = 0): AnomalyKind[] {
  const { anomalies } = checkHistory(history, { drained, removedBelow: () => removedBelow })
  for (const { kind } of anomalies) found.add(kind)
  return anomalies.map((anomaly) => anomaly.kind).sort()
}

/** What members did, one word at each millisecond: 'a+' is given the partition, 'a0-4' reads, 'a=5' commits. */
function members (text: string): Operation[] {
  return text.split(' ').map((word, at): Operation => {
    const process = word[0]!
    const line = base({ process, at: at * 10 })
    const [first = 0, last = 0] = word.slice(1).replace('!', '').split('-').map(Number)
    if (word[1] === '+') return { kind: 'assign', group: 'g', positions: [{ key, offset: undefined }], ...line }
    if (word[1] === '=') {
      const offsets = [{ key, offset: Number(word.slice(2)) }]
      return { kind: 'commit', group: 'g', byMember: true, offsets, ...line }
    }
    const records = [first, last].map(offset => ({ key, offset, value: String(offset) }))
    return { kind: 'poll', group: 'g', records, ...line, ...word.endsWith('!') && { outcome: 'unknown' as const } }
  })
}

function groupKinds (text: string): AnomalyKind[] {
  const { anomalies } = checkGroups(members(text))
  for (const { kind } of anomalies) found.add(kind)
  return anomalies.map(({ kind }) => kind)
}

describe('bad histories', () => {
  test('inconsistent offsets: two acknowledgements, two polls, one of each', () => {
    expect(kinds([send('a', 0), send('b', 0, { process: 'q' })])).toEqual(['inconsistent offsets'])
    const sends = [
      send('a', undefined, { outcome: 'unknown' }), send('b', undefined, { process: 'q', outcome: 'unknown' })
    ]
    expect(kinds([...sends, poll('a@0'), poll('b@0', { process: 'd' })])).toEqual(['inconsistent offsets'])
    expect(kinds([send('a', 0), send('b', undefined, { process: 'q', outcome: 'unknown' }), poll('b@0')]))
      .toEqual(['inconsistent offsets', 'lost write'])
  })

  test('duplicate: acknowledged at one offset, read at another; read twice', () => {
    expect(kinds([send('a', 0), assign(0), poll('a@0 a@1')])).toEqual(['duplicate'])
    expect(kinds([send('a', 3), poll('a@2'), poll('a@3')])).toEqual(['duplicate'])
  })

  test('duplicate: the same value in two partitions', () => {
    const elsewhere: Operation = {
      kind: 'poll', records: [{ key: 't-1', offset: 0, value: 'a' }], ...base({ process: 'd' })
    }
    expect(kinds([send('a', 0), poll('a@0'), elsewhere])).toEqual(['duplicate'])
  })

  test('group skip: of what nobody was given, and of what nobody finished', () => {
    expect(groupKinds('a+ a0-4 a=5 b+ b6-9')).toEqual(['group skip'])
    expect(groupKinds('a+ a0-4 a=5 a5-9! b+ b10-12')).toEqual(['group skip'])
  })

  test('group commit lost', () => {
    expect(groupKinds('a+ a0-4 a=5 b+ b2-9 b=10')).toEqual(['group commit lost'])
  })

  test('two owners', () => {
    expect(groupKinds('a+ a0-4 b+ b0-9 b=10 a=5')).toEqual(['two owners', 'group commit lost'])
  })

  test('lost write: a later offset was read', () => {
    expect(kinds([send('a', 0), send('b', 1), poll('b@1')])).toEqual(['lost write'])
  })

  test('unseen: nothing later was read, but everything was drained', () => {
    const history = [send('a', 0), send('b', 1), poll('a@0')]
    expect(kinds(history, false)).toEqual([])
    expect(kinds(history, true)).toEqual(['unseen'])
  })

  test('aborted read', () => {
    expect(kinds([send('a', undefined, { outcome: 'failed' }), poll('a@0')])).toEqual(['aborted read'])
  })

  test('unexpected read', () => {
    expect(kinds([poll('ghost@0')])).toEqual(['unexpected read'])
  })

  test('poll skip: between polls, and from where it was told to begin', () => {
    const sends = [send('a', 0), send('b', 1), send('c', 2), poll('a@0 b@1 c@2', { process: 'd' })]
    expect(kinds([...sends, assign(0), poll('a@0'), poll('c@2')])).toEqual(['poll skip'])
    expect(kinds([...sends, assign(0), poll('b@1')])).toEqual(['poll skip'])
  })

  test('poll skip in batch', () => {
    const sends = [send('a', 0), send('b', 1), send('c', 2), poll('a@0 b@1 c@2', { process: 'd' })]
    expect(kinds([...sends, assign(0), poll('a@0 c@2')])).toEqual(['poll skip in batch'])
  })

  test('non-monotonic poll: backwards, and again', () => {
    const sends = [send('a', 0), send('b', 1)]
    expect(kinds([...sends, assign(0), poll('a@0 b@1'), poll('a@0')])).toEqual(['non-monotonic poll'])
    expect(kinds([...sends, assign(0), poll('a@0'), poll('a@0'), poll('b@1')])).toEqual(['non-monotonic poll'])
  })

  test('non-monotonic poll in batch', () => {
    expect(kinds([send('a', 0), send('b', 1), assign(undefined), poll('b@1 a@0')]))
      .toEqual(['non-monotonic poll in batch'])
  })

  test('non-monotonic send: by acknowledgements, and where only a poll tells', () => {
    expect(kinds([send('a', 1), send('b', 0)])).toEqual(['non-monotonic send'])
    const unknown = [send('a', undefined, { outcome: 'unknown' }), send('b', 0)]
    expect(kinds([...unknown, poll('b@0 a@1')])).toEqual(['non-monotonic send'])
  })

  test('non-monotonic send in batch', () => {
    expect(kinds([send('a', 1, { batch: 7 }), send('b', 0, { batch: 7 })])).toEqual(['non-monotonic send in batch'])
  })

  test('fallen end: below what the same observer was told of before, by question, mark or record', () => {
    expect(kinds([ends(5, { at: 0 }), ends(4, { at: 10 })])).toEqual(['fallen end'])
    expect(kinds([send('a', 7), poll('a@7', { at: 0 }), ends(7, { at: 10 })])).toEqual(['fallen end'])
    const marked = (offset: number, at: number): Operation =>
      ({ kind: 'poll', records: [], ends: [{ key, offset }], ...base({ process: 'c', at }) })
    expect(kinds([ends(5, { at: 0 }), marked(4, 10)])).toEqual(['fallen end'])
    expect(kinds([marked(5, 0), ends(4, { at: 10 })])).toEqual(['fallen end'])
  })

  test('lost commit: older than the acknowledged one, or nothing', () => {
    const commits = [commit(1, { at: 0 }), commit(5, { at: 10 })]
    expect(kinds([...commits, committed(1, { at: 20 })])).toEqual(['lost commit'])
    expect(kinds([...commits, committed(undefined, { at: 20 })])).toEqual(['lost commit'])
  })

  test('unexpected commit', () => {
    expect(kinds([commit(1, { at: 0 }), committed(2, { at: 10 })])).toEqual(['unexpected commit'])
    expect(kinds([commit(1, { at: 0, outcome: 'failed' }), committed(1, { at: 10 })])).toEqual(['unexpected commit'])
  })

  test('diverged replicas: other bytes, a missing batch', () => {
    const replica = (name: string, texts: string[], highWatermark = texts.length, logStart = 0) => ({
      name, key, logStart, highWatermark,
      batches: texts.map((text, i) => ({ baseOffset: i, lastOffset: i, bytes: Buffer.from(text) }))
        .filter((batch) => batch.lastOffset >= logStart)
    })
    const diverged = findDivergedReplicas([replica('1', ['a', 'b']), replica('2', ['a', 'x'])])
    expect(diverged.map((anomaly) => anomaly.kind)).toEqual(['diverged replicas'])
    for (const { kind } of diverged) found.add(kind)
    expect(findDivergedReplicas([replica('1', ['a', 'b']), replica('2', ['a'], 2)])).toHaveLength(1)
    // Not committed, or removed by retention: may differ.
    expect(findDivergedReplicas([replica('1', ['a', 'b'], 1), replica('2', ['a', 'x'])])).toEqual([])
    expect(findDivergedReplicas([replica('1', ['a', 'b'], 2, 1), replica('2', ['x', 'b'])])).toEqual([])
  })

  test('stuck write and stuck read', () => {
    const bound = { healedAtMs: 100, boundMs: 50, keys: [key] }
    const stuck = findStuck([send('a', 0), send('b', 1, { at: 160 })], bound)
    for (const { kind } of stuck) found.add(kind)
    expect(stuck.map((anomaly) => anomaly.kind)).toEqual(['stuck read', 'stuck write'])
    expect(findStuck([send('a', 0), send('b', 1, { at: 120 }), poll('a@0', { at: 130 })], bound)).toEqual([])
    expect(findStuck([send('a', 0), send('b', 1, { at: 120 }), poll('a@0', { at: 160 })], bound)).toHaveLength(1)
    // What retention took needs no reading, what it left does.
    const unread = [send('a', 0), send('b', 1), send('c', 2, { at: 120 })]
    const left = findStuck(unread, { ...bound, removedBelow: () => 1 })
    expect(left.map((anomaly) => anomaly.message)).toEqual([expect.stringMatching(/^b,/)])
  })

  test('every class is shown above', () => {
    expect([...found].sort()).toEqual(Object.keys(anomalyKinds).sort())
  })
})

describe('good histories', () => {
  test('a plain run', () => {
    expect(kinds([send('a', 0), send('b', 1), assign(0), poll('a@0 b@1')], true)).toEqual([])
  })

  test('an unknown send may show or not, a failed one may not', () => {
    const unknown = send('b', undefined, { outcome: 'unknown' })
    expect(kinds([send('a', 0), unknown, poll('a@0 b@1')], true)).toEqual([])
    expect(kinds([send('a', 0), unknown, poll('a@0')], true)).toEqual([])
    expect(kinds([send('a', 0), send('b', undefined, { outcome: 'failed' }), poll('a@0')], true)).toEqual([])
  })

  test('two producers may interleave in any order', () => {
    expect(kinds([send('a', 1), send('b', 0, { process: 'q' })])).toEqual([])
  })

  test('a consumer that is assigned anew may go back', () => {
    expect(kinds([send('a', 0), assign(0), poll('a@0'), assign(0), poll('a@0')], true)).toEqual([])
  })

  test('retention excuses what it removed, and no more', () => {
    const history = [send('a', 0), send('b', 1), send('c', 2), assign(0), poll('c@2')]
    expect(kinds(history, true, 2)).toEqual([])
    expect(kinds(history, true, 1)).toEqual(['lost write', 'poll skip'])
  })

  test('a commit under way, or one whose answer was lost, may show', () => {
    expect(kinds([commit(1, { at: 0 }), commit(5, { at: 10, end: 30 }), committed(5, { at: 20 })])).toEqual([])
    expect(kinds([commit(1, { at: 0 }), commit(5, { at: 10, end: 30 }), committed(1, { at: 20 })])).toEqual([])
    const unknown = commit(5, { at: 10, outcome: 'unknown' })
    expect(kinds([commit(1, { at: 0 }), unknown, committed(1, { at: 20 }), committed(5, { at: 30 })])).toEqual([])
  })

  test('ends that others were told of, or that were asked for before the higher one was told', () => {
    expect(kinds([ends(5, { at: 0 }), ends(4, { at: 10, process: 'd' })])).toEqual([])
    expect(kinds([ends(5, { at: 0, end: 30 }), ends(4, { at: 10 }), ends(5, { at: 40 })])).toEqual([])
    expect(kinds([ends(5, { at: 0, outcome: 'unknown' }), ends(4, { at: 10 })])).toEqual([])
  })

  test('a member may repeat what was not committed, and one that was too late may begin before a commit', () => {
    expect(groupKinds('a+ a0-4 a=5 a5-9 b+ b5-9 b=10 a5-9')).toEqual([])
    expect(groupKinds('a+ a0-4 c+ b+ b0-9 b=10 c0-4')).toEqual([])
    const { takeovers, finished } = checkGroups(members('a+ a0-4 a=5 a5-9 b+ b5-12 b13-20'))
    expect(takeovers).toMatchObject([{ key, process: 'b', atMs: 50, offset: 5, repeats: 5, finishedAtMs: 31 }])
    expect([...finished]).toEqual([['g/t-0', 21]])
  })

  test('a history keeps the order of beginnings and leaves what never ended unknown', () => {
    let now = 0
    const history = new History(() => now)
    const first = history.begin({ kind: 'send', process: 'p', key, value: 'a' })
    now = 5
    const second = history.begin({ kind: 'send', process: 'p', key, value: 'b' })
    history.end(second, 'failed', 'TIMED_OUT')
    expect(history.operations).toEqual([first, second])
    expect([first.outcome, first.endMs, second.outcome, second.endMs]).toEqual(['unknown', Infinity, 'failed', 5])
  })
})
