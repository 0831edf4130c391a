// millrace group reset: another place for a group to go on from. Only while it has no members.
import type { Admin } from '../client/admin.ts'
import type { StartAt } from '../client/consumer-options.ts'
import { errorOf, MillraceError } from '../client/errors.ts'
import { withClient } from './connect.ts'
import type { ConnectOptions } from './connect.ts'
import { CliError, exitCodes } from './exit.ts'
import { note, plural } from './notes.ts'
import { print } from './output.ts'
import { orDash, table } from './table.ts'

export interface GroupResetOptions extends ConnectOptions {
  readonly to: StartAt
  readonly topic?: readonly string[]
  readonly partition?: readonly number[]
  readonly dryRun?: boolean
  readonly json?: boolean
}

interface Reset {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** Undefined: nothing is committed. */
  readonly from?: number | undefined
  readonly offset: number
}

export async function groupReset (name: string, options: GroupResetOptions): Promise<number> {
  const { timeout: timeoutMs } = options
  const resets = await withClient(options, async client => {
    const admin = client.admin()
    const found = await plan(admin, name, options)
    if (options.dryRun !== true) await admin.commitOffsets(name, found, { timeoutMs })
    return found
  })
  const rows = resets.map(({ topic, partition, from = null, offset }) => ({ topic, partition, from, to: offset }))
  await print(options.json === true
    ? rows.map(row => `${JSON.stringify(row)}\n`).join('')
    : table(['TOPIC', 'PARTITION', 'FROM', 'TO'],
      rows.map(({ topic, partition, from, to }) => [topic, partition, orDash(from ?? undefined), to])))
  const what = plural(resets.length, 'partition')
  note(options.dryRun === true ? `${what} would be reset; nothing was changed` : `${what} reset`)
  return exitCodes.ok
}

async function plan (admin: Admin, name: string, options: GroupResetOptions): Promise<Reset[]> {
  const { timeout: timeoutMs, topic: wanted = [], partition: only } = options
  const committed = await admin.committedOffsets(name, { timeoutMs })
  const members = await membersOf(admin, name, options)
  if (members > 0) throw errorOf('GROUP_NOT_EMPTY', `group ${name} has ${plural(members, 'member')}`)
  const names = wanted.length > 0 ? wanted : [...new Set(committed.map(({ topic }) => topic))].sort()
  if (names.length === 0) {
    throw new CliError(`group ${name} has committed nothing; name the topics: --topic NAME`, exitCodes.usage)
  }
  const topics: { topic: string, described: Awaited<ReturnType<Admin['describeTopic']>> }[] = []
  for (const topic of names) {
    try {
      topics.push({ topic, described: await admin.describeTopic(topic, { timeoutMs }) })
    } catch (error) {
      // One that nobody named here: the others are reset all the same.
      if (wanted.length > 0 || !(error instanceof MillraceError) || error.code !== 'UNKNOWN_TOPIC') throw error
      note(`topic ${topic} is gone; it is passed over`)
    }
  }
  if (topics.length === 0) {
    throw new CliError(`every topic that group ${name} has committed is gone`, exitCodes.notFound)
  }
  const unknown = only?.filter(partition => topics.every(({ described }) => partition >= described.partitions.length))
  if (unknown !== undefined && unknown.length > 0) {
    throw new CliError(`there is no partition ${unknown.join(', ')} in ${names.join(', ')}`, exitCodes.notFound)
  }
  const found: Reset[] = []
  for (const { topic, described } of topics) {
    const { topicId } = described.topic!
    const partitions = described.partitions.map(({ partition }) => partition)
      .filter(partition => only?.includes(partition) ?? true)
    const offsets = await offsetsOf(admin, topic, partitions, options)
    for (const [index, partition] of partitions.entries()) {
      const from = committed.find(each => each.topicId === topicId && each.partition === partition)?.offset
      found.push({ topic, topicId, partition, from, offset: offsets[index]! })
    }
  }
  return found
}

/** A group that nobody has heard of has none. */
async function membersOf (admin: Admin, name: string, { timeout: timeoutMs }: GroupResetOptions): Promise<number> {
  try {
    return (await admin.describeGroup(name, { timeoutMs })).members.length
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'UNKNOWN_GROUP') return 0
    throw error
  }
}

async function offsetsOf (admin: Admin, topic: string, partitions: readonly number[],
  { to, timeout: timeoutMs }: GroupResetOptions): Promise<number[]> {
  const ask = async (at: 'start' | 'end' | { readonly timestamp: number }): Promise<number[]> =>
    (await admin.listOffsets(partitions.map(partition => ({ topic, partition, at })), { timeoutMs }))
      .map(({ offset }) => offset)
  if (typeof to !== 'number') return await ask(to)
  const starts = await ask('start')
  const ends = await ask('end')
  // -n: the last n; what is not in the partition is as near as can be.
  return partitions.map((_, index) =>
    Math.min(ends[index]!, Math.max(starts[index]!, to < 0 ? ends[index]! + to : to)))
}
