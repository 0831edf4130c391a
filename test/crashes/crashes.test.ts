// Every write of every story, every fault: what test/operator/crashes/ takes a sample of.
import { describe, it } from 'vitest'
import { areTwo, dies, isStale, losesReply, plainly } from '../operator/crashes/run.ts'
import { stories } from '../operator/crashes/stories.ts'

const watched = ['Cluster', 'Topic', 'Pod', 'StatefulSet', 'Lease', 'PartitionTable']
const seedsOfTwo = 25

describe.each(stories)('$name', story => {
  it.each(['operatorDies', 'operatorDiesAndItArrivesLate'] as const)('%s at every write', async fate => {
    const { writes } = await plainly(story)
    for (let k = 1; k <= writes.length; k++) await dies(story, k, fate)
  })

  it('loses the reply to every write', async () => {
    const { writes } = await plainly(story)
    for (let k = 1; k <= writes.length; k++) await losesReply(story, k)
  })

  it.each([200, 3_000, 20_000])('sees everything, or one kind, %d ms late', async byMs => {
    await isStale(story, [], byMs)
    for (const kind of watched) await isStale(story, [kind], byMs)
  })

  it('is done by two operators at once', async () => {
    for (let seed = 1; seed <= seedsOfTwo; seed++) await areTwo(story, seed)
  })
})
