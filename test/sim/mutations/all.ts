// Every mutation, in the order of docs/replication.md, then those of groups and queue groups.
import { appendAndCommit } from './append-and-commit.ts'
import { controller } from './controller.ts'
import { electionAndFencing } from './election-and-fencing.ts'
import { followerRules } from './follower.ts'
import { groups } from './groups.ts'
import { inSyncSet } from './in-sync-set.ts'
import { moves } from './moves.ts'
import type { Mutation } from './mutation.ts'
import { producerState } from './producer-state.ts'
import { pushes } from './pushes.ts'
import { queueGroups } from './queue-groups.ts'

export const mutations: readonly Mutation[] = [
  ...appendAndCommit, ...inSyncSet, ...moves, ...pushes, ...electionAndFencing, ...controller, ...followerRules,
  ...producerState, ...groups, ...queueGroups
]
