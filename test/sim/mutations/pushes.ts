// docs/replication.md, "Pushes".
import type { Mutation } from './mutation.ts'

const rule = 'Pushes'
const replica = 'broker/partition/replica.ts'

export const pushes: readonly Mutation[] = [
  {
    name: 'stale-push-adopted',
    rule,
    without: 'a row that is not above the last adopted one is dropped, nor one of a lower leader epoch',
    edits: [
      {
        file: replica,
        search: 'if (this.#closed || row.leaderEpoch < this.log.leaderEpochSeen) return',
        replace: 'if (this.#closed) return'
      },
      { file: replica, search: 'const newer = isNewerRow(row, current)', replace: 'const newer = true' }
    ],
    finders: ['seeds', 'plan takeovers', 'histories 3/2']
  },
  {
    name: 'lower-leader-epoch-adopted',
    rule,
    without: 'a row of a lower leader epoch is dropped, whatever its version',
    edits: [
      {
        file: replica,
        search: 'if (this.#closed || row.leaderEpoch < this.log.leaderEpochSeen) return',
        replace: 'if (this.#closed) return'
      },
      {
        file: replica,
        search: 'const newer = isNewerRow(row, current)',
        replace: 'const newer = isNewerRow(row, current) || row.leaderEpoch < (current?.leaderEpoch ?? 0)'
      }
    ],
    finders: ['seeds', 'plan takeovers', 'histories 3/2']
  },
  {
    name: 'row-not-recorded',
    rule,
    without: 'rows are journaled before anything is done in them',
    edits: [{ file: 'broker/log/replica-log.ts', search: 'frame.entries.row(state.key, json)', replace: '' }],
    finders: ['plan elections', 'seeds', 'histories 3/2']
  }
]
