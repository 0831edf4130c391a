import { expect, it } from 'vitest'
import { Outage } from '../../../operator/kube/outage.ts'
import { FakeClock } from '../fake-clock.ts'

it('an outage is over at the first answer after five seconds without one', async () => {
  const clock = new FakeClock()
  let over = 0
  const outage = new Outage(clock, () => { over += 1 })
  for (let i = 0; i < 5; i++) {
    await clock.advance(4_900)
    outage.answered()
  }
  expect(over).toBe(0)
  await clock.advance(5_000)
  outage.answered()
  outage.answered()
  expect(over).toBe(1)
})
