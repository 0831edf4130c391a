import { describe, expect, it } from 'vitest'
import { WorkQueue } from '../../../operator/kube/work-queue.ts'
import { FakeClock, settle } from '../fake-clock.ts'

/** A worker that records and waits until it is let go. */
interface Worker {
  readonly started: string[]
  finish (key: string): Promise<void>
  work (key: string): Promise<void>
}

function worker (): Worker {
  const started: string[] = []
  const running = new Map<string, () => void>()
  return {
    started,
    async work (key) {
      started.push(key)
      await new Promise<void>(resolve => { running.set(key, resolve) })
    },
    async finish (key) {
      running.get(key)!()
      running.delete(key)
      await settle()
    }
  }
}

describe('work queue', () => {
  it('does each key once, however often it was added while it waited', async () => {
    const queue = new WorkQueue(new FakeClock())
    const { started, work, finish } = worker()
    queue.add('a')
    queue.add('b')
    queue.add('a')
    queue.start(1, work)
    await finish('a')
    expect(started).toEqual(['a', 'b'])
  })

  it('never works on one key twice at once, and does it again if it was added meanwhile', async () => {
    const queue = new WorkQueue(new FakeClock())
    const { started, work, finish } = worker()
    queue.start(4, work)
    queue.add('a')
    queue.add('a')
    queue.add('a')
    expect(started).toEqual(['a'])
    await finish('a')
    expect(started).toEqual(['a', 'a'])
    await finish('a')
    expect(started).toEqual(['a', 'a'])
    expect(queue.depth).toBe(0)
  })

  it('works on no more than `concurrency` keys', async () => {
    const queue = new WorkQueue(new FakeClock())
    const { started, work, finish } = worker()
    queue.start(2, work)
    for (const key of ['a', 'b', 'c']) queue.add(key)
    expect(started).toEqual(['a', 'b'])
    await finish('b')
    expect(started).toEqual(['a', 'b', 'c'])
  })

  it('waits 5 ms, 10 ms ... 1000 s per key, and 5 ms again after forget', async () => {
    const clock = new FakeClock()
    const queue = new WorkQueue(clock)
    const at: number[] = []
    queue.start(1, async () => { at.push(clock.now()); queue.addRateLimited('a') })
    queue.add('a')
    await clock.advance(5 + 10 + 20 + 40)
    expect(at).toEqual([0, 5, 15, 35, 75])
    await clock.advance(3_000_000)
    expect(at.at(-1)! - at.at(-2)!).toBe(1_000_000)
    queue.forget('a')
    expect(queue.failures('a')).toBe(0)
  })

  it('tries at once what failed, when told that the reason is over; what merely comes later comes later', async () => {
    const clock = new FakeClock()
    const queue = new WorkQueue(clock)
    const at: string[] = []
    queue.start(1, async key => {
      at.push(`${key} ${clock.now()}`)
      if (key === 'failing') queue.addRateLimited(key)
    })
    queue.add('failing')
    queue.addAfter('later', 900_000)
    await clock.advance(100_000)
    const before = at.length
    queue.retryNow()
    await clock.advance(1)
    expect(at.slice(before)).toEqual(['failing 100000'])
    await clock.advance(5)
    expect(at.slice(before)).toEqual(['failing 100000', 'failing 100005'])
  })

  it('keeps the earliest of several delays', async () => {
    const clock = new FakeClock()
    const queue = new WorkQueue(clock)
    const at: number[] = []
    queue.start(1, async () => { at.push(clock.now()) })
    queue.addAfter('a', 100)
    queue.addAfter('a', 30)
    queue.addAfter('a', 60)
    await clock.advance(200)
    expect(at).toEqual([30])
  })

  it('stops after the work under way, and takes no more', async () => {
    const queue = new WorkQueue(new FakeClock())
    const { started, work, finish } = worker()
    queue.start(1, work)
    queue.add('a')
    queue.add('b')
    queue.addAfter('c', 1)
    let stopped = false
    const stopping = queue.stop().then(() => { stopped = true })
    queue.add('d')
    await settle()
    expect(stopped).toBe(false)
    await finish('a')
    await stopping
    expect(started).toEqual(['a'])
  })
})
