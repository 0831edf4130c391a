import { expect, test } from 'vitest'
import { View } from '../../../broker/session/view.ts'
import type { SessionResponse_Push } from '../../../wire/messages.ts'
import { broker, row, topic, topicId } from '../controller/make.ts'

function push (changes: Partial<SessionResponse_Push>): SessionResponse_Push {
  return {
    controllerEpoch: 1, full: false, brokers: [], topics: [], rows: [], topicsRemoved: [], remove: [], more: false,
    ...changes
  }
}

test('a full push is everything: what it does not name is gone', () => {
  const view = new View()
  expect(view.loaded).toBe(false)
  view.apply(push({
    full: true, brokers: [broker(1), broker(0)], topics: [topic()], rows: [row(), row({ partition: 1 })]
  }))
  expect(view.loaded).toBe(true)
  expect(view.brokers().map(one => one.brokerId)).toEqual([0, 1])
  expect(view.rows(topicId)).toHaveLength(2)
  view.apply(push({ full: true, brokers: [broker(2)], controllerEpoch: 4 }))
  expect(view.brokers().map(one => one.brokerId)).toEqual([2])
  expect(view.topicById(topicId)).toBeUndefined()
  expect(view.topicByName('orders')).toBeUndefined()
  expect(view.rows(topicId)).toEqual([])
  expect(view.controllerEpoch).toBe(4)
})

test('rows never go back, from pushes or from peers', () => {
  const view = new View()
  view.apply(push({ full: true, topics: [topic()], rows: [row()] }))
  view.adoptRow(row({ version: 12 }))
  view.apply(push({ rows: [row({ version: 11 })] }))
  expect(view.row(topicId, 0)?.version).toBe(12)
  view.apply(push({ full: true, topics: [topic()], rows: [row({ version: 10 })] }))
  expect(view.row(topicId, 0)?.version).toBe(12)
  view.apply(push({ rows: [row({ leaderEpoch: 6, version: 1 })] }))
  expect(view.row(topicId, 0)?.leaderEpoch).toBe(6)
  view.adoptRow(row({ leaderEpoch: 5, version: 99 }))
  expect(view.row(topicId, 0)?.leaderEpoch).toBe(6)
})

test('topics go with their rows; a new topic of the name is not hidden by one that is deleted', () => {
  const view = new View()
  const next = 'bbbbbbbbbbbbbbbb'
  view.apply(push({ full: true, topics: [topic({ deleting: true })], rows: [row()] }))
  view.apply(push({ topics: [topic({ topicId: next })] }))
  expect(view.topicByName('orders')?.topicId).toBe(next)
  view.apply(push({ topicsRemoved: [topicId] }))
  expect(view.row(topicId, 0)).toBeUndefined()
  expect(view.topicByName('orders')?.topicId).toBe(next)
  view.apply(push({ rows: [row()] }))
  expect(view.row(topicId, 0)).toBeUndefined()
})
