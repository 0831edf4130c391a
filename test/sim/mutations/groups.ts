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
  },
  {
    name: 'last-dead-member-stays',
    rule: 'The coordinator',
    without: 'a group is at rest only when the log knows of all who went: the last member that dies stays in it',
    edits: [{
      file: 'broker/group/desk.ts',
      search: 'this.#presences.size + this.#joining.size + this.#leaving.size === 0',
      replace: 'this.#presences.size + this.#joining.size === 0'
    }],
    kind: 'liveness',
    finders: ['plan groups', 'seeds']
  },
  {
    name: 'due-plan-waits-for-a-word',
    rule: 'The coordinator',
    without: 'a new coordinator plans for itself what is due: nobody may come any more whose word would make it',
    edits: [{
      file: 'broker/group/desk.ts',
      search: 'if (this.#timer === undefined && !this.#inFlight) this.#wait(0)',
      replace: ''
    }],
    kind: 'liveness',
    finders: ['plan groups', 'seeds']
  }
]
