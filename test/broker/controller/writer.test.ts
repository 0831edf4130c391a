import { expect, test } from 'vitest'
import type { TableStore } from '../../../broker/controller/store.ts'
import { tableBytes } from '../../../broker/controller/table-codec.ts'
import type { Table, TableDraft } from '../../../broker/controller/table.ts'
import type { Decision } from '../../../broker/controller/writer.ts'
import { TableWriter } from '../../../broker/controller/writer.ts'
import * as limits from '../../../broker/limits.ts'
import type { WireError } from '../../../wire/errors.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { row, table, topic, topicId } from './make.ts'

function simulate (decide: (draft: TableDraft) => Decision, base = table({ controllerEpoch: 1 })) {
  const scheduler = new Scheduler(new SimRng(1))
  const { clock } = scheduler.process('b0')
  const written: Table[] = []
  const lost: { reason: string, doubt: boolean }[] = []
  const store = {
    newWriteId: () => 'w',
    put: (next: Table) => Promise.resolve({ kind: 'landed', table: { ...next, resourceVersion: '8' } })
  } as unknown as TableStore
  const writer = new TableWriter(base, {
    clock, store, controllerEpoch: 1, decide,
    written: (_before, after) => { written.push(after) },
    lost: (reason, doubt) => { lost.push({ reason, doubt }) }
  })
  const run = async (): Promise<void> => { await scheduler.run(scheduler.now + 1_000) }
  return { base, writer, written, lost, run }
}

const nothing: Decision = { landed: () => {}, dropped: () => {} }

test('what would make a table too large is refused, typed; nothing of it is written, what is smaller is', async () => {
  const errors: WireError[] = []
  const wishes = [5_000, 10]
  const { writer, written, run } = simulate(draft => {
    const partitions = wishes.shift()
    if (partitions === undefined) return nothing
    draft.setTopic(topic({ partitions }))
    for (let partition = 0; partition < partitions; partition += 1) {
      draft.setRow(row({ partition, leaderEpoch: 10 ** 12, version: 10 ** 12 }))
    }
    return { ...nothing, refused: error => { errors.push(error) } }
  })
  writer.kick()
  await run()
  expect(errors.map(error => error.code)).toEqual(['TABLE_FULL'])
  expect(written.map(one => one.rows.get(topicId)?.length)).toEqual([10])
  expect(tableBytes(written[0]!)).toBeLessThan(limits.tableBytesMax)
})

test('a table that is gone or another\'s ends the office without a write; a label that somebody set does not', () => {
  const look = (found: (base: Table) => Table | undefined) => {
    const { base, writer, lost } = simulate(() => nothing)
    writer.found(base, found(base))
    return { lost, version: writer.table.resourceVersion }
  }
  expect(look(base => base)).toEqual({ lost: [], version: '7' })
  expect(look(base => ({ ...base, resourceVersion: '9' }))).toEqual({ lost: [], version: '9' })
  expect(look(() => undefined).lost).toMatchObject([{ doubt: true }])
  expect(look(base => ({ ...base, uid: 'u2', resourceVersion: '9' })).lost).toMatchObject([{ doubt: true }])
  expect(look(base => ({ ...base, writeId: 'x', resourceVersion: '9' })).lost).toMatchObject([{ doubt: true }])
  expect(look(base => ({ ...base, controllerEpoch: 2, resourceVersion: '9' })).lost).toMatchObject([{ doubt: false }])
})

test('what was read before a write says nothing', async () => {
  const wishes = [1]
  const { base, writer, lost, run } = simulate(draft => {
    if (wishes.shift() !== undefined) draft.setTopic(topic())
    return nothing
  })
  writer.kick()
  await run()
  writer.found(base, undefined)
  expect(lost).toEqual([])
})
