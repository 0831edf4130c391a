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
  }
]
