// What `millrace group describe` says of a queue group.
import type { DescribeGroupResponse, QueueState } from '../wire/messages.ts'
import type { Place } from './group-describe.ts'
import { orDash, table } from './table.ts'

/** For --json. */
export function queueFacts ({ queue, queues }: DescribeGroupResponse): Record<string, unknown> {
  if (queue === undefined && queues.length === 0) return { mode: 'consumer' }
  return {
    mode: 'queue',
    ...queue !== undefined && {
      settings: {
        orderedBy: queue.order === 'QUEUE_ORDER_KEY' ? 'key' : null, maxDeliveries: queue.maxDeliveries,
        deadLetterTopic: queue.deadLetterTopic, leaseMs: queue.leaseMs
      }
    },
    queues
  }
}

function sum (queues: readonly QueueState[], of: 'delivered' | 'redelivered' | 'acknowledged' | 'rejected' |
  'returned' | 'deadLettered' | 'gone'): number {
  return queues.reduce((total, queue) => total + queue[of], 0)
}

export function queueTable (group: DescribeGroupResponse, places: readonly Place[]): string {
  const { group: name, state, epoch, members, queue, queues } = group
  const known = places.filter(({ lag }) => lag !== undefined)
  const lag = known.reduce((total, place) => total + place.lag!, 0)
  const settings = queue === undefined ? '' :
    `Settings   ${queue.order === 'QUEUE_ORDER_KEY' ? 'ordered by key' : 'any order'}, ` +
    `lease ${queue.leaseMs / 1000} s, ` +
    (queue.deadLetterTopic === '' ? 'no dead-letter topic\n'
      : `${queue.maxDeliveries || 'any number of'} deliveries, then to ${queue.deadLetterTopic}\n`)
  const facts = `Group      ${name}\nState      queue, ${state}, epoch ${epoch}\n${settings}` +
    `Lag        ${lag}${known.length < places.length ? `, ${places.length - known.length} not known` : ''}\n` +
    `Delivered  ${sum(queues, 'delivered')}, ${sum(queues, 'redelivered')} of them again, ` +
    `${sum(queues, 'returned')} given back unhandled; ` +
    `${sum(queues, 'acknowledged')} acknowledged, ${sum(queues, 'rejected')} rejected, ` +
    `${sum(queues, 'deadLettered')} dead-lettered, ${sum(queues, 'gone')} gone by retention\n`
  const stuck = [...new Set(queues.map(({ deadLetterError }) => deadLetterError).filter(error => error !== ''))]
    .map(error => `Stuck      dead letters: ${error}\n`).join('')
  const people = members.length === 0 ? '' : '\n' + table(['MEMBER', 'CLIENT', 'IN FLIGHT', 'STATE'],
    members.map(({ memberId, client, inFlight, connected }) =>
      [memberId, orDash(client), inFlight, connected ? 'ok' : 'away']))
  const rows = places.length === 0 ? '' : '\n' +
    table(['TOPIC', 'PARTITION', 'START', 'NEXT', 'END', 'LAG', 'UNFINISHED', 'IN FLIGHT', 'DEAD'],
      places.map(({ topic, partition, committed, end, lag }) => {
        const mine = queues.find(each => each.topic === topic && each.partition === partition)
        return [topic, partition, orDash(committed), orDash(mine?.end), orDash(end), orDash(lag),
          mine?.unfinished ?? 0, mine?.inFlight ?? 0, mine?.dead ?? 0]
      }))
  return facts + stuck + people + rows
}
