import { expect, test } from 'vitest'
import { Commits } from '../../client/commits.ts'
import type { ClientEvents } from '../../client/events.ts'
import type { ClientPorts } from '../../client/metadata.ts'
import type { Offsets, PartitionOffset } from '../../client/offsets.ts'
import { FakeClock } from './fake-clock.ts'
import { codeOf } from './world.ts'

test('a commit that was refused in part is told as one that failed; the rest of it counts', async () => {
  const told: ClientEvents['offsets.committed'][] = []
  const ports = {
    clock: new FakeClock(), tell: (_name: string, event: ClientEvents['offsets.committed']) => { told.push(event) }
  } as unknown as ClientPorts
  const [mine, another] = [0, 1].map(partition => ({ topic: 'orders', topicId: 'id', partition, offset: 7 })) as
    [PartitionOffset, PartitionOffset]
  const offsets = { commit: () => Promise.resolve([another]) } as unknown as Offsets
  const counted: PartitionOffset[] = []
  const commits = new Commits(ports, offsets, 'g', () => undefined)
  const commit = commits.commit(() => [mine, another], those => { counted.push(...those) }, { timeoutMs: 1_000 })
  expect(await codeOf(commit)).toBe('FENCED_MEMBER')
  expect(counted).toEqual([mine])
  expect(told).toMatchObject([{ group: 'g', partitions: 2, error: { code: 'FENCED_MEMBER' } }])
})
