// millrace cluster restore: partition tables that were lost or are older than what the brokers know.
import type { TableRestore } from '../wire/messages.ts'
import { withController } from './controller.ts'
import type { ControllerOptions } from './controller.ts'
import { exitCodes } from './exit.ts'
import { note, plural } from './notes.ts'
import { print } from './output.ts'
import { table } from './table.ts'

export interface ClusterRestoreOptions extends ControllerOptions {
  readonly without?: readonly number[]
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** How many partitions are named. */
const namedMax = 20

export async function clusterRestore (options: ClusterRestoreOptions): Promise<number> {
  const { without = [], dryRun = false } = options
  return await withController(options, async controller => {
    const { tables } = await controller.call('RestoreTables', { dryRun, without: [...without] })
    if (options.json === true) {
      await print(tables.map(each => `${JSON.stringify(asJson(each))}\n`).join(''))
    } else if (tables.length > 0) {
      await print(table(['TABLE', 'STATE', 'WAITS-FOR-BROKERS', 'PARTITIONS', 'UNDECIDED'], tables.map(each => [
        each.table, each.reason === '' ? 'whole' : each.reason, each.waitingFor.join(',') || '-', each.rows.length,
        each.undecided.length
      ])))
    }
    say(tables.filter(({ reason }) => reason !== ''), dryRun)
    return exitCodes.ok
  })
}

function say (broken: readonly TableRestore[], dryRun: boolean): void {
  if (dryRun) note('nothing was changed (--dry-run)')
  if (broken.length === 0) {
    note('every table is whole: nothing is to be restored')
    return
  }
  const awaited = [...new Set(broken.flatMap(({ waitingFor }) => waitingFor))].sort((a, b) => a - b)
  note(`${plural(broken.length, 'table')} being restored from what the brokers report`)
  if (awaited.length > 0) {
    note(`waits for brokers ${awaited.join(', ')}: start them; what only they know is lost when you go on ` +
      `--without ${awaited.join(',')}`)
  }
  const undecided = broken.flatMap(each => each.undecided)
  if (undecided.length === 0) return
  const more = undecided.length > namedMax ? ` and ${undecided.length - namedMax} more` : ''
  note(`nobody that is there knows: ${undecided.slice(0, namedMax).join(', ')}${more}`)
}

function asJson ({ table: name, reason, waitingFor, rows, undecided }: TableRestore): object {
  return {
    table: name,
    reason,
    waitingFor,
    rows: rows.map(({ topicId, partition, leader, leaderEpoch, replicas, inSync }) => ({
      topicId, partition, leader, leaderEpoch, replicas, inSync: inSync.map(({ brokerId }) => brokerId)
    })),
    undecided
  }
}
