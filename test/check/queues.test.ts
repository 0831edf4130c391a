// For every class of anomaly of queue groups a history that has it, and histories that look bad and are not.
import { describe, expect, test } from 'vitest'
import type { AnomalyKind } from './anomaly.ts'
import { queueAnomalyKinds } from './anomaly.ts'
import type { DeadLetterOperation, DeliveryOperation, Operation, Outcome, Settlement } from './history.ts'
import { checkQueues } from './queues.ts'
import type { QueueRules } from './queues.ts'

const key = 't-0'

interface Said {
  readonly settlement?: Settlement
  /** When it asked; 1 ms after the beginning. The answer comes 1 ms later. */
  readonly asked?: number
  readonly outcome?: Outcome
  readonly recordKey?: string
}

/** 'a 3#2': a got offset 3 in its second delivery. */
function given (text: string, startMs: number, said: Said = {}): DeliveryOperation {
  const { settlement, asked = startMs + 1, outcome, recordKey = '' } = said
  const [process = '', ...numbers] = text.split(/[ #]/)
  const [offset = 0, deliveries = 0] = numbers.map(Number)
  const isAnswered = settlement !== undefined && outcome !== 'unknown'
  return {
    kind: 'delivery', group: 'g', key, process, offset, recordKey, startMs, deliveries,
    value: String(offset), endMs: isAnswered ? asked + 1 : Infinity,
    outcome: settlement === undefined ? 'unknown' : outcome ?? 'ok',
    ...settlement !== undefined && { settlement, settledAtMs: asked }
  }
}

function acknowledged (text: string, startMs: number, said: Said = {}): DeliveryOperation {
  return given(text, startMs, { settlement: 'acknowledged', ...said })
}

function deadLetter (offset: number, deliveries: number, cause: string): DeadLetterOperation {
  return {
    kind: 'dead letter', group: 'g', key, process: 'reader', offset, deliveries, cause, value: String(offset),
    startMs: 1_000, endMs: 1_000, outcome: 'ok'
  }
}

const found = new Set<AnomalyKind>()

function kinds (history: readonly Operation[], rules: Partial<QueueRules> = {}): AnomalyKind[] {
  const { anomalies } = checkQueues(history,
    { group: 'g', deliveriesMax: 3, hasDeadLetters: false, isOrdered: false, ...rules })
  for (const { kind } of anomalies) found.add(kind)
  return anomalies.map(({ kind }) => kind)
}

const dead = { hasDeadLetters: true } as const

describe('bad histories', () => {
  test('delivered when done: acknowledged, rejected', () => {
    expect(kinds([acknowledged('a 0#1', 0), given('b 0#2', 10)])).toEqual(['delivered when done'])
    expect(kinds([given('a 0#1', 0, { settlement: 'rejected' }), given('b 0#2', 10)], dead))
      .toEqual(['delivered when done'])
  })

  test('delivery miscounted: told twice, above the maximum', () => {
    expect(kinds([given('a 0#1', 0), given('b 0#1', 10)])).toEqual(['delivery miscounted'])
    expect(kinds([given('a 0#3', 0), given('b 0#4', 10)], dead)).toEqual(['delivery miscounted'])
    expect(kinds([given('a 0#3', 0), given('b 0#4', 10)])).toEqual([])
  })

  test('stale settlement: asked for when another had the record, and it counted', () => {
    expect(kinds([acknowledged('a 0#1', 0, { asked: 20 }), given('b 0#2', 10)])).toEqual(['stale settlement'])
    const late = acknowledged('b 0#2', 10, { asked: 30 })
    expect(kinds([acknowledged('a 0#1', 0, { asked: 20 }), late])).toEqual(['stale settlement'])
    expect(kinds([given('a 0#1', 0, { settlement: 'released', asked: 20 }), late])).toEqual(['stale settlement'])
  })

  test('two leases: nothing had happened to the first one', () => {
    const history = [given('a 0#1', 10), acknowledged('b 0#2', 20)]
    expect(kinds(history, { calmFromMs: 5 })).toEqual(['two leases'])
    expect(kinds(history, { calmFromMs: 15 })).toEqual([])
    expect(kinds(history)).toEqual([])
  })

  test('key disorder: before the one before it was finished', () => {
    const first = acknowledged('a 0#1', 0, { asked: 20, recordKey: 'k' })
    const isOrdered = { isOrdered: true } as const
    expect(kinds([first, given('b 1#1', 10, { recordKey: 'k' })], isOrdered)).toEqual(['key disorder'])
    expect(kinds([first, given('b 1#1', 20, { recordKey: 'k' })], isOrdered)).toEqual([])
    expect(kinds([first, given('b 1#1', 10, { recordKey: 'other' }), given('b 2#1', 10)], isOrdered)).toEqual([])
    const refused = acknowledged('a 0#1', 0, { recordKey: 'k', outcome: 'failed' })
    expect(kinds([refused, given('b 1#1', 10, { recordKey: 'k' })], isOrdered)).toEqual(['key disorder'])
  })

  test('lost record: nobody got it, nobody finished it, rejected and no dead letter', () => {
    const ends = new Map([[key, 2]])
    expect(kinds([acknowledged('a 1#1', 0)], { ends })).toEqual(['lost record'])
    expect(kinds([given('a 0#1', 0), acknowledged('a 1#1', 0)], { ends })).toEqual(['lost record'])
    const rejected = [acknowledged('a 0#1', 0), given('a 1#1', 5, { settlement: 'rejected' })]
    expect(kinds(rejected, { ends, ...dead })).toEqual(['lost record'])
    expect(kinds(rejected, { ends })).toEqual([])
    expect(kinds([...rejected, deadLetter(1, 1, 'rejected')], { ends, ...dead })).toEqual([])
  })

  test('unfounded dead letter: nobody rejected it, it was not delivered so often', () => {
    expect(kinds([given('a 0#1', 0), deadLetter(0, 1, 'rejected')], dead)).toEqual(['unfounded dead letter'])
    expect(kinds([given('a 0#1', 0), deadLetter(0, 2, 'deliveries')], dead)).toEqual(['unfounded dead letter'])
  })

  test('every class is shown above', () => {
    expect([...found].sort()).toEqual(Object.keys(queueAnomalyKinds).sort())
  })
})

describe('histories that look bad and are not', () => {
  test('who has lost a record and does not know it begins it late', () => {
    expect(kinds([acknowledged('b 0#2', 0), given('a 0#1', 10)])).toEqual([])
  })

  test('who has lost a record may say late that it is done, when another has finished it', () => {
    const late = acknowledged('a 0#1', 0, { asked: 30 })
    expect(kinds([late, acknowledged('b 0#2', 10)])).toEqual([])
    expect(kinds([late, acknowledged('b 0#2', 10, { outcome: 'unknown' })])).toEqual([])
    // c, which nobody can be sure of, finished it; b has lost it and does not know that yet.
    expect(kinds([late, acknowledged('c 0#3', 20, { outcome: 'unknown' }), given('b 0#2', 40)])).toEqual([])
    expect(kinds([late, given('b 0#2', 10), deadLetter(0, 3, 'deliveries')], dead)).toEqual([])
  })

  test('what was refused was not finished', () => {
    expect(kinds([acknowledged('a 0#1', 0, { outcome: 'failed' }), acknowledged('b 0#2', 10)])).toEqual([])
  })

  test('what retention removed need not be finished', () => {
    expect(kinds([acknowledged('a 2#1', 0)], { ends: new Map([[key, 3]]), removedBelow: () => 2 })).toEqual([])
  })

  test('other groups and what others read', () => {
    const other = { ...given('b 0#1', 10), group: 'h' }
    expect(kinds([acknowledged('a 0#1', 0), other])).toEqual([])
  })

  test('it counts what happened', () => {
    const history = [
      acknowledged('a 0#1', 0, { outcome: 'failed' }), acknowledged('b 0#2', 10),
      given('a 1#1', 0, { settlement: 'rejected' }), deadLetter(1, 1, 'rejected'), deadLetter(1, 1, 'rejected')
    ]
    expect(checkQueues(history, { group: 'g', deliveriesMax: 3, isOrdered: false, ...dead })).toEqual({
      anomalies: [], deliveries: 3, redeliveries: 1, acknowledged: 1, rejected: 1, deadLetters: 1, lost: 1
    })
  })
})
