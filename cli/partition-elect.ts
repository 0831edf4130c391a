// millrace partition elect: other leaders, by default the preferred ones.
import type { ElectedLeader, PartitionTarget, TopicStatus } from '../wire/messages.ts'
import { withController } from './controller.ts'
import type { Controller, ControllerOptions } from './controller.ts'
import { CliError, exitCodes } from './exit.ts'
import { note, plural } from './notes.ts'
import { print } from './output.ts'
import { parseName, partitionText } from './partition-names.ts'
import { orDash, table } from './table.ts'

export interface PartitionElectOptions extends ControllerOptions {
  readonly leader?: number
  readonly all?: boolean
  readonly json?: boolean
}

const preferred = -1
/** Fewer than a controller takes in one request (partitionsPerRequestMax of broker/limits.ts). */
const partitionsPerCall = 1_000

export async function partitionElect (names: readonly string[], options: PartitionElectOptions): Promise<number> {
  const { all = false, leader = preferred } = options
  if (all === (names.length > 0)) throw new CliError('name topics or partitions, or say --all', exitCodes.usage)
  if (all && leader !== preferred) {
    throw new CliError('one broker cannot lead everything: name what it is to lead', exitCodes.usage)
  }
  return await withController(options, async controller => {
    const partitions = await partitionsOf(controller, names)
    if (partitions.length === 0) {
      note('no partitions')
      return exitCodes.ok
    }
    const elected: ElectedLeader[] = []
    for (let first = 0; first < partitions.length; first += partitionsPerCall) {
      const some = partitions.slice(first, first + partitionsPerCall)
      elected.push(...(await controller.call('ElectLeaders', { partitions: some, leader })).elected)
    }
    if (options.json === true) await print(elected.map(each => `${JSON.stringify(asJson(each))}\n`).join(''))
    else await print(asTable(elected))
    const failed = elected.filter(({ error }) => error !== undefined)
    if (failed.length === 0) return exitCodes.ok
    note(`error: ${plural(failed.length, 'partition')} of ${elected.length} not led as wanted`)
    return exitCodes.failed
  })
}

/** Every partition of the topics that are named whole; of all topics when none is named. */
async function partitionsOf (controller: Controller, names: readonly string[]): Promise<PartitionTarget[]> {
  const wanted = names.map(parseName)
  const whole = wanted.filter(({ partition }) => partition === undefined).map(({ topic }) => topic)
  const known = new Map<string, TopicStatus>()
  if (whole.length > 0 || names.length === 0) {
    const { topics } = await controller.call('DescribeCluster', { topics: whole })
    for (const status of topics) if (status.topic?.deleting === false) known.set(status.topic.name, status)
  }
  const all = (status: TopicStatus): PartitionTarget[] => Array.from({ length: status.topic!.partitions },
    (_, partition) => ({ topic: status.topic!.name, partition, replicas: [] }))
  if (names.length === 0) return [...known.values()].flatMap(all)
  const found = wanted.flatMap(({ topic, partition }) => {
    if (partition !== undefined) return [{ topic, partition, replicas: [] }]
    const status = known.get(topic)
    if (status === undefined) throw new CliError(`no topic '${topic}'.`, exitCodes.notFound)
    return all(status)
  })
  return [...new Map(found.map(each => [partitionText(each), each])).values()]
}

function asJson ({ topic, partition, leader, leaderEpoch, error }: ElectedLeader): object {
  return { topic, partition, leader, leaderEpoch, error: error === undefined ? null : error.message }
}

function asTable (elected: readonly ElectedLeader[]): string {
  return table(['PARTITION', 'LEADER', 'EPOCH', 'NOTE'], elected.map(each =>
    [partitionText(each), orDash(each.leader), each.leaderEpoch, each.error?.message ?? '-']))
}
