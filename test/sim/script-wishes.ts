// What a person asks of the cluster in a script; each is asked until the controller has heard it.
import type { RecoverPartitionRequest, Sent } from '../../wire/messages.ts'
import { SimFailure } from './failure.ts'
import { removeLast } from './faults/cluster.ts'
import type { Simulation } from './simulation.ts'
import type { SimTopic } from './topics.ts'

const recoverMsMax = 20_000

function place (key: string): [topic: string, partition: number] {
  const at = key.lastIndexOf('-')
  return [key.slice(0, at), Number(key.slice(at + 1))]
}

function ids (text: string): number[] { return text.split(',').map(Number) }

export async function wish (simulation: Simulation, verb: string, words: readonly string[]): Promise<void> {
  const { cluster, operator, topics } = simulation
  const [first = '', second = '', third = ''] = words
  switch (verb) {
    case 'add': cluster.addBroker(); break
    case 'remove': removeLast(cluster, operator, (ms, run) => {
      cluster.scheduler.schedule(ms, undefined, 'script', run)
    }, () => {}); break
    case 'move': operator.move(...place(first), ids(third)); break
    case 'give': operator.move(...place(second), []); break
    case 'elect': elect(simulation, place(first), second === 'preferred' ? -1 : Number(second)); break
    case 'apply': apply(simulation, topics.get(first), words.slice(1)); break
    case 'delete': remove(simulation, topics.get(first), words.includes('data')); break
    case 'recover': await recover(simulation, ids(first), third === 'best' ? -1 : Number(third)); break
  }
}

function apply ({ operator }: Simulation, topic: SimTopic, words: readonly string[]): void {
  for (let i = 0; i < words.length; i += 2) {
    const number = Number(words[i + 1])
    switch (words[i]) {
      case 'partitions': topic.partitions = number; break
      case 'replicas': topic.replicas = number; break
      case 'min': topic.minInSync = number; break
      default: throw new Error(`not a setting of a topic: '${words[i]}'`)
    }
  }
  operator.apply(topic)
}

function elect ({ operator, observer, topics }: Simulation, [topic, partition]: [string, number],
  leader: number): void {
  observer.rows.wantLeader(`${topics.idOf(topic)}-${partition}`, leader)
  operator.elect(topic, partition, leader)
}

function remove ({ operator, topics }: Simulation, topic: SimTopic, withData: boolean): void {
  topic.objects++
  operator.delete(topic, topics.idOf(topic.name), withData, () => {})
}

/** Outside the rules, by a person alone; what that gives up, the observer sees. */
async function recover (simulation: Simulation, lost: number[], survivor: number): Promise<void> {
  const { observer, topics } = simulation
  for (const row of observer.rows.latest.values()) {
    if (!row.inSync.every(({ brokerId }) => lost.includes(brokerId))) continue
    const { topicId, partition } = row
    observer.rows.ordered.set(`${topicId}-${partition}`, lost)
    const topic = topics.nameOf(topicId)
    await recoverOne(simulation, { topic, partition, lost, survivor, acceptDataLoss: true })
  }
}

async function recoverOne (simulation: Simulation, request: Sent<RecoverPartitionRequest>): Promise<void> {
  const { cluster: { scheduler }, operator } = simulation
  let done = false
  let refusal: Error | undefined
  operator.recover(request, (error) => {
    done = true
    refusal = error
  })
  await scheduler.run(scheduler.now + recoverMsMax, () => done)
  if (done && refusal === undefined) return
  throw new SimFailure('script', `recover ${request.topic}-${request.partition}: ${refusal?.message ?? 'no answer'}`)
}
