// millrace partition recover: a person gives the in-sync set of a partition up.
import type { PartitionRow, RecoverPartitionResponse } from '../wire/messages.ts'
import { withController } from './controller.ts'
import type { ControllerOptions } from './controller.ts'
import { CliError, exitCodes } from './exit.ts'
import { count, note } from './notes.ts'
import { print } from './output.ts'
import { parsePartition, partitionText } from './partition-names.ts'
import { orDash, table } from './table.ts'

export interface PartitionRecoverOptions extends ControllerOptions {
  readonly lost: readonly number[]
  readonly survivor?: number
  readonly acceptDataLoss?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

export async function partitionRecover (name: string, options: PartitionRecoverOptions): Promise<number> {
  const { topic, partition } = parsePartition(name)
  const { lost, survivor = -1, acceptDataLoss = false, dryRun = false } = options
  const isAsked = dryRun || !acceptDataLoss
  return await withController(options, async controller => {
    const answer = await controller.call('RecoverPartition', {
      topic, partition, lost: [...lost], survivor, acceptDataLoss, dryRun: isAsked
    }, { again: isAsked })
    if (options.json === true) await print(`${JSON.stringify(asJson(answer), undefined, 2)}\n`)
    else await print(asTable(answer))
    warn(partitionText({ topic, partition }), lost, answer, isAsked)
    if (dryRun || acceptDataLoss) return exitCodes.ok
    throw new CliError('nothing was changed: records may be lost for ever. Repeat it with --accept-data-loss ' +
      'to go on so, or with --dry-run to look only', exitCodes.usage)
  })
}

function warn (name: string, lost: readonly number[], answer: RecoverPartitionResponse, isAsked: boolean): void {
  const { endOffset, highWatermarkSeen, after } = answer
  const [would, are] = isAsked ? ['would go', 'would be'] : ['goes', 'are']
  note(`${name} ${would} on with broker ${after?.leader ?? -1} alone, from offset ${count(endOffset)}`)
  if (highWatermarkSeen > endOffset) {
    note(`warning: the records from ${count(endOffset)} up to ${count(highWatermarkSeen)} ${are} lost, and any ` +
      'after these that only lost brokers know of')
  } else {
    note('warning: records that only the lost brokers know of ' + are + ' lost; nobody left can tell how many')
  }
  const brokers = `${lost.length === 1 ? 'broker' : 'brokers'} ${lost.join(', ')}`
  note(`warning: if ${brokers} ${lost.length === 1 ? 'is' : 'are'} not dead but only cut off, ` +
    `records may still be acknowledged there, and are lost too: stop ${lost.length === 1 ? 'it' : 'them'} first`)
}

function asJson ({ before, after, endOffset, highWatermarkSeen }: RecoverPartitionResponse): object {
  const row = (each: PartitionRow | undefined): object | null => each === undefined
    ? null
    : {
        leader: each.leader, leaderEpoch: each.leaderEpoch, replicas: each.replicas, inSync: members(each),
        minInSync: each.minInSync
      }
  return { before: row(before), after: row(after), endOffset, highWatermarkSeen }
}

function members ({ inSync }: PartitionRow): number[] {
  return inSync.map(({ brokerId }) => brokerId)
}

function asTable ({ before, after }: RecoverPartitionResponse): string {
  const row = (name: string, each: PartitionRow | undefined): (string | number)[] => each === undefined
    ? [name, '-', '-', '-', '-']
    : [name, orDash(each.leader), each.leaderEpoch, each.replicas.join(','), members(each).join(',')]
  return table(['', 'LEADER', 'EPOCH', 'REPLICAS', 'IN-SYNC'], [row('before', before), row('after', after)])
}
