import { expect, test } from 'vitest'
import { topicSeriesMax } from '../../../broker/limits.ts'
import { TopicCounters } from '../../../broker/partition/topic-loads.ts'

const log = (topic: string, sizeBytes: number) => ({ topic, sizeBytes })

test('tells what was counted and what is stored, by topic', () => {
  const counters = new TopicCounters()
  counters.of('b').records += 3
  counters.of('b').bytes += 90
  expect(counters.loads([log('b', 40), log('a', 1), log('b', 2)])).toEqual([
    { topic: 'a', records: 0, bytes: 0, fetchedBytes: 0, storedBytes: 1 },
    { topic: 'b', records: 3, bytes: 90, fetchedBytes: 0, storedBytes: 42 }
  ])
})

test('forgets topics that are gone, and begins anew when they return', () => {
  const counters = new TopicCounters()
  counters.of('a').records = 5
  expect(counters.loads([])).toEqual([])
  expect(counters.loads([log('a', 1)])).toMatchObject([{ records: 0 }])
})

test('shows no more series than the limit', () => {
  const many = Array.from({ length: topicSeriesMax + 5 }, (_, index) => log(`t${String(index).padStart(6, '0')}`, 1))
  expect(new TopicCounters().loads(many)).toHaveLength(topicSeriesMax)
})
