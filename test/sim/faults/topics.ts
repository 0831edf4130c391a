// Topics that change under load, as people with kubectl change them.
import type { SimTopic } from '../topics.ts'
import type { topicFaults } from './kinds.ts'
import type { Fault, FaultWorld } from './world.ts'

const partitionsMax = 8

/** One of those that nothing is being done to. */
function settled ({ topics, rng }: FaultWorld, fits: (topic: SimTopic) => boolean): SimTopic | undefined {
  const found = topics.all.filter((topic) => topic.phase === 'there' && fits(topic))
  return found.length === 0 ? undefined : rng.pick(found)
}

function grow (world: FaultWorld): boolean {
  const topic = settled(world, ({ partitions }) => partitions < partitionsMax)
  if (topic === undefined) return false
  topic.partitions++
  world.operator.apply(topic, () => { world.coverage.reached('a topic got more partitions') })
  return true
}

/** Never to one member where a disk may be lost: nobody promises what it had. */
function change (world: FaultWorld): boolean {
  const topic = settled(world, ({ expendable }) => expendable !== true)
  if (topic === undefined) return false
  const least = Math.min(topic.replicas, world.minInSyncMin)
  topic.minInSync = least + world.rng.integer(topic.replicas - least + 1)
  if (topic.retentionBytes > 0) topic.retentionBytes = topic.segmentBytes * (1 + world.rng.integer(3))
  world.operator.apply(topic, () => { world.coverage.reached('settings of a topic changed') })
  return true
}

/** Its object goes, the topic stays; another object of the name gets it back as it was. */
function orphan (world: FaultWorld): boolean {
  const topic = settled(world, () => true)
  if (topic === undefined) return false
  const topicId = world.topics.idOf(topic.name)
  topic.objects++
  world.operator.delete(topic, topicId, false, () => {
    topic.phase = 'changing'
    world.until(world.rng.exponential(1_000), () => {
      world.operator.apply(topic, () => {
        if (world.topics.idOf(topic.name) === topicId) world.coverage.reached('an orphaned topic was adopted')
        else world.failed('adoption', `topic ${topic.name} was ${topicId} and came back as another`)
      })
    })
  })
  return true
}

function remake (world: FaultWorld): boolean {
  const topic = settled(world, ({ transient }) => transient === true)
  if (topic === undefined) return false
  const topicId = world.topics.idOf(topic.name)
  topic.objects++
  world.operator.delete(topic, topicId, true, () => {
    // Never fewer: what waits for a partition that is no more ends with its delivery timeout only.
    topic.partitions = Math.min(partitionsMax, topic.partitions + world.rng.integer(2))
    world.until(world.rng.exponential(world.rng.pick([100, 1_000, 8_000])), () => {
      world.operator.apply(topic, () => {
        if (world.topics.idOf(topic.name) !== topicId) world.coverage.reached('a topic was deleted and made again')
        else world.failed('deletion', `topic ${topic.name} was deleted and is ${topicId} again`)
      })
    })
  })
  return true
}

export const onTopics: Record<typeof topicFaults[number], Fault> = {
  'more partitions': grow,
  'other settings': change,
  'orphaned topic': orphan,
  'remade topic': remake
}
