// A partition that is larger than what a learner gets at once moves: its new replica is filled slowly, as the Cluster
// says, and everybody can see how far it is.
import type { PartitionRow } from '../../../broker/row.ts'
import { nowMs } from './clock.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { placedRows } from './tables.ts'

const MiB = 1024 * 1024

/** What the brokers of a run may give their learners. */
export const rebalance = { bytesPerSecond: '2Mi' }
/** Learners with less than 4 MiB to go are not held back (broker/limits.ts, learnerNearBytes): 8 MiB are. */
export const bulkTopic = { name: 'bulk', partitions: 1, replicas: 2, minInSync: 2, ballastBytes: 12 * MiB } as const
/** 8 MiB take 4 s; less the burst that it begins with. Without a limit it is there within a second. */
const heldBackMsMin = 3_000
/** Other faults may be in the way for so long. */
const movedMsMax = 30_000

interface Answer { readonly bytesLeft: number | null }

async function moveThrottled ({ world, rng }: Scene): Promise<Strike | undefined> {
  const rowNow = (): PartitionRow | undefined => placedRows(world.api).find(each => each.topic === bulkTopic.name)?.row
  const row = rowNow()
  if (row === undefined || row.adding.length + row.removing.length > 0) return undefined
  const others = world.brokers().filter(broker => !row.replicas.includes(broker))
  if (others.length === 0) return undefined
  const newcomer = rng.pick(others)
  const target = [newcomer, rng.pick(row.replicas)]
  const command = ['partition', 'move', `${bulkTopic.name}/0`, '--replicas', target.join()]
  const key = `${bulkTopic.name}-0`
  const mark = world.placement.mark(key)
  world.placement.asked(key, target)
  let isAccepted = false
  const isThere = (): boolean => rowNow()?.inSync.some(({ brokerId }) => brokerId === newcomer) === true
  const startedMs = nowMs()
  const seen: number[] = []
  let tookMs = Infinity
  let refused = ''
  // The same command again changes nothing, and tells how far it is.
  const ask = async (): Promise<void> => {
    const { code, stdout, stderr } = await world.millrace([...command, '--json'])
    if (code === 0) isAccepted = true
    else refused = stderr.trim().split('\n')[0] ?? ''
    const { bytesLeft = null } = code === 0 && stdout !== '' ? JSON.parse(stdout) as Answer : {}
    if (bytesLeft !== null && bytesLeft > 0 && bytesLeft < bulkTopic.ballastBytes) seen.push(bytesLeft)
  }
  await ask()
  return {
    what: `millrace ${command.join(' ')}, throttled`,
    heal: async () => {
      while (!isThere() && nowMs() - startedMs < movedMsMax) await ask()
      if (isThere()) tookMs = nowMs() - startedMs
    },
    struck: () => {
      if (seen.length === 0) return `nobody saw how far it was${refused === '' ? '' : `: ${refused}`}`
      return tookMs > heldBackMsMin ? '' : `it took ${Math.round(tookMs)} ms: it was not held back`
    },
    verify: () => isAccepted ? world.placement.notMoved(key, target, mark) : ''
  }
}

export const throttledMoveKind: FaultKind = {
  name: 'move throttled',
  about: '`partition move` of 12 MiB, at 2 MiB/s',
  single: true, lastsMs: { alone: 1_000, mixed: [0, 1_000] }, strike: moveThrottled
}
