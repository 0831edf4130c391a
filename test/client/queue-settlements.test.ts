// What who settles a record is told: that it counts, that it does not, or that this is not known.
import { beforeEach, describe, expect, it } from 'vitest'
import { errorOf } from '../../client/errors.ts'
import type { ClientPorts } from '../../client/metadata.ts'
import { Settlements } from '../../client/queue-settlements.ts'
import type { QueueOutcome } from '../../wire/messages.ts'
import { FakeClock } from './fake-clock.ts'
import { codeOf } from './world.ts'

let clock: FakeClock
let settlements: Settlements
/** Sequences, each time that one is said. */
let said: number[]
let ended: number

beforeEach(() => {
  clock = new FakeClock()
  said = []
  ended = 0
  const ports = { clock } as unknown as ClientPorts
  settlements = new Settlements(ports, ({ settle }) => { said.push(settle!.sequence!) })
})

function settle (outcome: QueueOutcome): Promise<string> {
  const what = { topicId: 'id', partition: 0, lease: 1, offset: 0, outcome, reason: '', delayMs: 0 }
  return codeOf(settlements.settle(what, {}, () => { ended++ }))
}

describe('a settlement', () => {
  it('does not count when its only answer says so', async () => {
    const code = settle('QUEUE_OUTCOME_REJECTED')
    await clock.advance(1)
    settlements.answered(said[0]!, 'LEASE_LOST')
    expect(await code).toBe('LEASE_LOST')
  })

  it('may count when it was said to a coordinator that knows the member no more', async () => {
    const code = settle('QUEUE_OUTCOME_ACKNOWLEDGED')
    await clock.advance(1)
    settlements.fenced(errorOf('FENCED_MEMBER'))
    expect(await code).toBe('TIMED_OUT')
    expect(ended).toBe(1)
    settlements.sayAgain()
    expect(said).toHaveLength(1)
  })

  it('does not count when it was never said', async () => {
    const code = settle('QUEUE_OUTCOME_ACKNOWLEDGED')
    settlements.fenced(errorOf('FENCED_MEMBER'))
    expect(await code).toBe('LEASE_LOST')
    await clock.advance(1)
    expect(said).toEqual([])
  })

  it('may count when a rejection was said twice and then refused: the first may have been heard', async () => {
    const codes = [settle('QUEUE_OUTCOME_REJECTED'), settle('QUEUE_OUTCOME_ACKNOWLEDGED')]
    await clock.advance(1)
    settlements.sayAgain()
    expect(said).toEqual([1, 2, 1, 2])
    for (const sequence of [1, 2]) settlements.answered(sequence, 'LEASE_LOST')
    // A record that is acknowledged is finished, however often that is said.
    expect(await Promise.all(codes)).toEqual(['TIMED_OUT', 'LEASE_LOST'])
  })
})
