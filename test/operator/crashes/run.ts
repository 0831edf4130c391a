// One story under one fault, against the same story undisturbed.
import { expect } from 'vitest'
import { CrashWorld, type OperatorOptions } from './crash-world.ts'
import type { Fate } from './direct-kube.ts'
import { prepare, type Story } from './stories.ts'
import { seeded } from './virtual-time.ts'

/** The next operator starts so long after the last one died: a pod is made again. */
const restartMs = 1_000

const deletionsOfTwoMax = 5

export interface Undisturbed { readonly outcome: unknown, readonly writes: readonly string[] }

const undisturbed = new Map<string, Promise<Undisturbed>>()

/** What becomes of a story when nothing goes wrong; the same for every run. */
export async function plainly (story: Story): Promise<Undisturbed> {
  const known = undisturbed.get(story.name) ?? runPlainly(story)
  undisturbed.set(story.name, known)
  return await known
}

async function runPlainly (story: Story): Promise<Undisturbed> {
  const world = await CrashWorld.start()
  try {
    await prepare(world, story)
    world.startOperator()
    story.act(world)
    await ends(world, story, 'undisturbed')
    return { outcome: world.outcome(), writes: [...world.writes] }
  } finally {
    await world.close()
  }
}

/** It is done, never more than one broker was down, and no pod was deleted more often than it need be. */
async function ends (world: CrashWorld, story: Story, what: string, deletionsMax = story.restarts ?? 1): Promise<void> {
  const isDone = await world.converges(() => story.isDone(world))
  const last = JSON.stringify(world.kube.get('clusters.millrace.dev', 'events')?.status)
  expect(isDone, `${story.name}, ${what}: never done; ${last}; ${world.writes.slice(-10).join(', ')}`).toBe(true)
  if (story.name.startsWith('delete')) return
  expect(world.nodes.worst, `${story.name}, ${what}: brokers down at once`).toBeLessThanOrEqual(1)
  const pods = world.nodes.deleted.map(pod => pod.split(' ')[0])
  const most = Math.max(0, ...pods.map(pod => pods.filter(other => other === pod).length))
  expect(most, `${story.name}, ${what}: pods deleted: ${pods.join()}`).toBeLessThanOrEqual(deletionsMax)
}

/** Runs the story in a world of its own; `disturb` starts the operators, and acts when it likes. */
async function under (story: Story, what: string, disturb: (world: CrashWorld) => Promise<void> | void,
  deletionsMax?: number): Promise<void> {
  const { outcome } = await plainly(story)
  const world = await CrashWorld.start()
  try {
    await prepare(world, story)
    await disturb(world)
    await ends(world, story, what, deletionsMax)
    expect(world.outcome(), `${story.name}, ${what}`).toEqual(outcome)
  } finally {
    await world.close()
  }
}

/** The operator dies after its k-th write (or with it under way) and another one is started. */
export async function dies (story: Story, k: number, fate: Fate): Promise<void> {
  await under(story, `${fate} at write ${k}`, async world => {
    let count = 0
    const process = world.startOperator({ fate: () => ++count === k ? fate : 'arrives' })
    story.act(world)
    await world.time.until(() => process.dead, 10 * 60_000)
    await world.time.until(() => false, restartMs)
    world.startOperator()
  })
}

export async function losesReply (story: Story, k: number): Promise<void> {
  let count = 0
  await under(story, `reply to write ${k} is lost`, world => {
    world.startOperator({ fate: () => ++count === k ? 'replyIsLost' : 'arrives' })
    story.act(world)
  })
}

/** What the operator knows of some kinds is old. */
export async function isStale (story: Story, kinds: readonly string[], byMs: number): Promise<void> {
  await under(story, `${kinds.join('+')} ${byMs} ms old`, world => {
    world.startOperator({ eventDelayMs: kind => kinds.length === 0 || kinds.includes(kind) ? byMs : 2 })
    story.act(world)
  })
}

/**
 * Two act at once, each slow in its own way, and see old things. One that does not know yet what a person changed
 * may undo it for a moment: a pod may be made anew once more, while all others serve.
 */
export async function areTwo (story: Story, seed: number): Promise<void> {
  await under(story, `two operators, seed ${seed}`, world => {
    for (const each of [1, 2]) world.startOperator(strange(seed * 2 + each))
    story.act(world)
  }, deletionsOfTwoMax)
}

function strange (seed: number): OperatorOptions {
  const random = seeded(seed)
  const slowMs = [5, 50, 500, 2_000][Math.floor(random() * 4)]!
  const staleMs = [2, 200, 2_000, 8_000][Math.floor(random() * 4)]!
  return {
    latencyMs: () => random() * slowMs,
    eventDelayMs: () => random() * staleMs,
    fate: () => random() < 0.05 ? 'replyIsLost' : 'arrives'
  }
}
