// millrace partition move: other replicas for partitions, or giving such a move up.
import type { PartitionMove, PartitionTarget } from '../wire/messages.ts'
import { withController } from './controller.ts'
import type { Controller, ControllerOptions } from './controller.ts'
import { CliError, exitCodes } from './exit.ts'
import { pause } from './kube.ts'
import { note, plural, progress } from './notes.ts'
import { print } from './output.ts'
import { movingText, targetOf } from './partition-list.ts'
import { parsePartition, partitionText, readTargets } from './partition-names.ts'
import { bytes, table } from './table.ts'

export interface PartitionMoveOptions extends ControllerOptions {
  readonly replicas?: readonly number[]
  readonly cancel?: boolean
  readonly fromFile?: string
  readonly dryRun?: boolean
  readonly wait?: boolean
  readonly json?: boolean
}

const pollMs = 1_000

export async function partitionMove (names: readonly string[], options: PartitionMoveOptions): Promise<number> {
  const targets = targetsOf(names, options)
  const { dryRun = false } = options
  return await withController(options, async controller => {
    const { moves } = await controller.call('MovePartitions', { targets, dryRun })
    if (options.json === true) await print(moves.map(move => `${JSON.stringify(asJson(move))}\n`).join(''))
    else if (moves.length > 0) await print(asTable(moves))
    if (options.wait === true && !dryRun) await untilMoved(controller, targets, options.timeout)
    say(moves, options)
    return exitCodes.ok
  })
}

function targetsOf (names: readonly string[], options: PartitionMoveOptions): PartitionTarget[] {
  const { replicas, cancel = false, fromFile } = options
  const ways = [replicas !== undefined, cancel, fromFile !== undefined].filter(Boolean).length
  if (ways !== 1) throw new CliError('say one of --replicas, --cancel and --from-file', exitCodes.usage)
  if (fromFile === undefined) {
    if (names.length === 0) throw new CliError('name the partitions: orders/3', exitCodes.usage)
    return names.map(name => ({ ...parsePartition(name), replicas: [...replicas ?? []] }))
  }
  if (names.length > 0) throw new CliError('with --from-file the file names the partitions', exitCodes.usage)
  return readTargets(fromFile)
}

function isMoving ({ adding, removing }: PartitionMove): boolean {
  return adding.length + removing.length > 0
}

function say (moves: readonly PartitionMove[], options: PartitionMoveOptions): void {
  const { dryRun = false, cancel = false, wait = false } = options
  const moving = moves.filter(isMoving).length
  if (dryRun) note(`nothing was changed (--dry-run); ${plural(moving, 'partition')} would move`)
  else if (wait) note(`${plural(moves.length, 'partition')} moved`)
  else if (moving === 0) note(cancel ? 'nothing moves any more' : 'every partition is where it is to be')
  else note(`${plural(moving, 'partition')} on the way; see how far: this command again, it changes nothing`)
}

function asJson (move: PartitionMove): object {
  const { topic, partition, adding, removing, bytesLeft, waitingFor } = move
  return {
    topic,
    partition,
    replicas: targetOf(move),
    adding,
    removing,
    bytesLeft: bytesLeft < 0 ? null : bytesLeft,
    waitingFor
  }
}

function asTable (moves: readonly PartitionMove[]): string {
  return table(['PARTITION', 'REPLICAS', 'MOVING', 'TO-COPY', 'WAITS-FOR'], moves.map(move => [
    partitionText(move), targetOf(move).join(','), movingText(move),
    move.adding.length === 0 || move.bytesLeft < 0 ? '-' : bytes(move.bytesLeft), move.waitingFor || '-'
  ]))
}

async function untilMoved (controller: Controller, targets: readonly PartitionTarget[],
  timeoutMs: number): Promise<void> {
  const wanted = new Set(targets.map(partitionText))
  const topics = [...new Set(targets.map(({ topic }) => topic))]
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const { moves } = await controller.call('DescribeCluster', { topics })
    const left = moves.filter(move => wanted.has(partitionText(move)))
    if (left.length === 0) return
    const known = left.reduce((sum, { bytesLeft }) => sum + Math.max(0, bytesLeft), 0)
    const waiting = left.find(({ waitingFor }) => waitingFor !== '')
    const why = waiting === undefined ? '' : `; ${partitionText(waiting)} waits for: ${waiting.waitingFor}`
    const state = `${plural(left.length, 'partition')} on the way, ${bytes(known)} bytes to copy${why}`
    if (performance.now() + pollMs > deadline) {
      throw new CliError(`not moved within ${timeoutMs / 1_000} s: ${state}. It goes on; ` +
        'see it: millrace partition list --moving', exitCodes.unavailable)
    }
    progress(state)
    await pause(pollMs)
  }
}
