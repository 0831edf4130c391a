// docs/protocol.md, "Commits of members".
import type { Mutation } from './mutation.ts'

export const groups: readonly Mutation[] = [
  {
    name: 'commit-outlives-its-partition',
    rule: 'Commits of members',
    without: 'a commit counts only for the time in which the member was given the records: one that waited for ' +
      'others while the partition was lost and came back is refused',
    edits: [{
      file: 'client/committable.ts',
      search: 'filter(place => !this.#isMember || current(place) === this.#readers.get(place))',
      replace: 'filter(place => !this.#isMember || current(place) !== undefined)'
    }],
    kind: 'two owners',
    finders: ['plan groups', 'seeds']
  }
]
