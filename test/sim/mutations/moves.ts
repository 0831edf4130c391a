// docs/replication.md, "Moving partitions (reassignment)".
import type { Mutation } from './mutation.ts'

const rule = 'Moving partitions (reassignment)'
const file = 'broker/controller/moves.ts'

export const moves: readonly Mutation[] = [
  {
    name: 'move-completed-below-the-floor',
    rule,
    without: 'a move is completed only when the members of the set in the target that live are at least minInSync',
    edits: [{
      file,
      search: 'return shrinks && liveCount(row, inSync, facts) < row.minInSync ? undefined : inSync',
      replace: 'return shrinks && inSync.length === 0 ? undefined : inSync'
    }],
    finders: ['plan moves', 'seeds']
  },
  {
    name: 'move-completed-without-the-new-replica',
    rule,
    without: 'a move is completed only when everybody that it adds is in the set and lives',
    edits: [{ file, search: 'if (!row.adding.every(isIn)) return undefined', replace: 'void isIn' }],
    finders: ['plan moves', 'seeds']
  },
  {
    name: 'move-completed-under-a-leader-outside',
    rule,
    without: 'a move is completed only under a leader that is in its target',
    edits: [{
      file,
      search: 'if (inSync?.some(member => member.brokerId === row.leader && isLive(row, member, facts)) !== true) ' +
        'return undefined',
      replace: 'if (inSync === undefined) return undefined'
    }],
    finders: ['plan moves', 'seeds']
  },
  {
    name: 'brokers-not-evened-out',
    rule,
    without: 'brokers that hold less than their share get replicas from those with more',
    edits: [{
      file: 'broker/controller/mover.ts',
      search: 'return brokers.length === 0 ? [] : planBalance(scene.rows, brokers, limits.balanceMovesMax)',
      replace: 'return []'
    }],
    finders: ['seeds']
  },
  {
    name: 'other-replication-not-carried-out',
    rule,
    without: 'a Topic with another number of replicas is the same as moves',
    edits: [{
      file: 'broker/controller/topics.ts',
      search: 'resize(draft, topic.topicId, wish.replicas, facts)',
      replace: ''
    }],
    finders: ['seeds']
  }
]
