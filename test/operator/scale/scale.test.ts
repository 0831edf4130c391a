import { it } from 'vitest'
import { manyClusters, manyTopics } from './stories.ts'

/** Each wait is for a controller that may be asked every two seconds only. */
const timeoutMs = 120_000

it('makes, keeps and finds again a hundred topics by a write each, and none when nothing is to be done', async () => {
  await manyTopics(100)
}, timeoutMs)

it('makes three clusters of five brokers Ready, and writes nothing afterwards', async () => {
  await manyClusters(3, 5)
}, timeoutMs)
