// millrace group describe: the members of a group, where it stands and how far behind.
import type { Admin } from '../client/admin.ts'
import { MillraceError } from '../client/errors.ts'
import type { DescribeGroupResponse } from '../wire/messages.ts'
import { withClient } from './connect.ts'
import type { ConnectOptions } from './connect.ts'
import { exitCodes } from './exit.ts'
import { print } from './output.ts'
import { queueFacts, queueTable } from './group-queues.ts'
import { orDash, table } from './table.ts'

export interface GroupDescribeOptions extends ConnectOptions {
  readonly json?: boolean
}

export interface Place {
  readonly topic: string
  readonly partition: number
  /** The next offset that the group reads; undefined when it committed none. */
  readonly committed: number | undefined
  readonly metadata: string
  /** Undefined while no leader answers. */
  readonly end: number | undefined
  readonly lag: number | undefined
  /** The id of the member that reads it, empty for none. */
  readonly member: string
}

export async function groupDescribe (name: string, options: GroupDescribeOptions): Promise<number> {
  const { timeout: timeoutMs } = options
  const { group, places } = await withClient(options, async client => {
    const admin = client.admin()
    const group = await admin.describeGroup(name, { timeoutMs })
    return { group, places: await placesOf(admin, group, timeoutMs) }
  })
  await print(options.json === true ? asJson(group, places) : asText(group, places))
  return exitCodes.ok
}

/** What is committed and what is held, by topic and partition. */
async function placesOf (admin: Admin, group: DescribeGroupResponse, timeoutMs: number): Promise<Place[]> {
  const places = new Map<string, Omit<Place, 'end' | 'lag'>>()
  for (const { topic, partition, offset, metadata } of group.offsets) {
    places.set(`${topic}/${partition}`, { topic, partition, committed: offset, metadata, member: '' })
  }
  for (const { memberId: member, held } of group.members) {
    for (const { topic, partitions } of held) {
      for (const partition of partitions) {
        const known = places.get(`${topic}/${partition}`)
        places.set(`${topic}/${partition}`,
          { topic, partition, committed: known?.committed, metadata: known?.metadata ?? '', member })
      }
    }
  }
  const sorted = [...places.values()].sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1)
  const ends = await endsOf(admin, sorted, timeoutMs)
  return sorted.map((place, index) => {
    const end = ends[index]
    const queue = group.queues.find(each => each.topic === place.topic && each.partition === place.partition)
    const lag = end === undefined || place.committed === undefined ? undefined
      // What a queue has finished behind a record that it has not is not behind.
      : queue === undefined ? Math.max(0, end - place.committed) : Math.max(0, end - queue.end) + queue.unfinished
    return { ...place, end, lag }
  })
}

async function endsOf (admin: Admin, places: readonly { topic: string, partition: number }[],
  timeoutMs: number): Promise<(number | undefined)[]> {
  const ends = new Map<string, number>()
  for (const topic of new Set(places.map(({ topic }) => topic))) {
    const mine = places.filter(place => place.topic === topic)
    try {
      const queries = mine.map(({ partition }) => ({ topic, partition, at: 'end' as const }))
      const answers = await admin.peekOffsets(queries, { timeoutMs })
      for (const answer of answers) {
        if (!(answer instanceof MillraceError)) ends.set(`${topic}/${answer.partition}`, answer.offset)
      }
    } catch (error) {
      // A topic that is gone: what was committed of it is still to be seen.
      if (!(error instanceof MillraceError) || error.code !== 'UNKNOWN_TOPIC') throw error
    }
  }
  return places.map(({ topic, partition }) => ends.get(`${topic}/${partition}`))
}

function asJson (group: DescribeGroupResponse, places: readonly Place[]): string {
  const { group: name, state, epoch, assignor, members } = group
  return `${JSON.stringify({
    group: name,
    state,
    epoch,
    assignor: assignorName(assignor),
    members: members.map(({ memberId, instanceId, client, rack, topics, connected, held, releasing }) => ({
      memberId, instanceId, client, rack, topics, connected, partitions: count(held), releasing: count(releasing)
    })),
    ...queueFacts(group),
    partitions: places.map(({ committed, end, lag, ...place }) =>
      ({ ...place, committed: committed ?? null, end: end ?? null, lag: lag ?? null }))
  }, undefined, 2)}\n`
}

function count (held: DescribeGroupResponse['members'][number]['held']): number {
  return held.reduce((sum, { partitions }) => sum + partitions.length, 0)
}

function assignorName (assignor: string): string {
  return assignor === 'GROUP_ASSIGNOR_RANGE' ? 'range' : 'uniform'
}

function asText (group: DescribeGroupResponse, places: readonly Place[]): string {
  if (group.queue !== undefined || group.queues.length > 0) return queueTable(group, places)
  const { group: name, state, epoch, assignor, members } = group
  const known = places.filter(({ lag }) => lag !== undefined)
  const lag = known.reduce((sum, place) => sum + place.lag!, 0)
  const facts = `Group      ${name}\nState      ${state}, epoch ${epoch}, ${assignorName(assignor)}\n` +
    `Lag        ${lag}${known.length < places.length ? `, ${places.length - known.length} not known` : ''}\n`
  const titles = ['MEMBER', 'INSTANCE', 'CLIENT', 'RACK', 'PARTITIONS', 'STATE']
  const people = members.length === 0 ? '' : '\n' + table(titles,
    members.map(({ memberId, instanceId, client, rack, held, releasing, connected }) => [
      memberId, orDash(instanceId), orDash(client), orDash(rack), count(held),
      !connected ? 'away' : releasing.length > 0 ? `gives ${count(releasing)} away` : 'ok'
    ]))
  const rows = places.length === 0 ? '' : '\n' + table(['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'MEMBER'],
    places.map(place => [
      place.topic, place.partition, orDash(place.committed), orDash(place.end), orDash(place.lag), orDash(place.member)
    ]))
  return facts + people + rows
}
