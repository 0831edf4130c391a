// How far the learners of the partitions led here are, for the controller: a move goes by it.
import type { SessionRequest_LearnerProgress } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import type { Replica } from './replica.ts'

/**
 * Learners with a stream, learnersPerReportMax at most.
 *
 * @param from how many of them to skip: there may be more than one report holds
 * @returns `next`: `from` of the next report
 */
export function learnersOf (replicas: Iterable<Replica>, from: number):
{ learners: SessionRequest_LearnerProgress[], next: number } {
  const learners: SessionRequest_LearnerProgress[] = []
  let seen = 0
  for (const { leader, log } of replicas) {
    if (leader === undefined) continue
    for (const progress of leader.inSync.followers) {
      if (!progress.streaming || leader.inSync.isMember(progress)) continue
      if (seen++ < from) continue
      if (learners.length === limits.learnersPerReportMax) return { learners, next: seen - 1 }
      const end = Math.max(progress.end, log.logStart)
      learners.push({
        topicId: log.topicId,
        partition: log.partition,
        leaderEpoch: leader.epoch,
        brokerId: progress.identity.brokerId,
        bytesLeft: log.bytesFrom(end),
        recordsLeft: Math.max(0, log.logEnd - end)
      })
    }
  }
  return { learners, next: 0 }
}
