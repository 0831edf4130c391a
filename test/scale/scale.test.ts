// The size that is promised: see docs/operations/size.md. Fewer of everything runs in `npm test`.
import { it } from 'vitest'
import { manyClusters, manyTopics } from '../operator/scale/stories.ts'

it('1,000 topics: a write each, and none when nothing is to be done, nor after a restart', async () => {
  await manyTopics(1_000)
})

it('50 clusters of 9 brokers: all Ready, and nothing is written afterwards', async () => {
  await manyClusters(50, 9)
})
