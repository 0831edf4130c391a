// docs/replication.md, "Election and fencing".
import type { Mutation } from './mutation.ts'

const rule = 'Election and fencing'
const replica = 'broker/partition/replica.ts'
const roster = 'broker/controller/roster.ts'
const rowPlan = 'broker/controller/row-plan.ts'

const reelection = {
  file: roster,
  search: "if (session.state !== 'registered' && session.elected.get(key) !== row.leaderEpoch && " +
    "!this.isCurrent(session)) {\n" +
    "      return 'lost'\n    }",
  replace: ''
}
const rolledBack = {
  file: roster,
  search: 'if (info.brokerEpoch > known.brokerEpoch || info.incarnation === known.incarnation) return undefined',
  replace: 'if (info.brokerEpoch > 0) return undefined'
}
const bootEpoch = { file: replica, search: 'row.leaderEpoch > this.#bootEpoch && ', replace: '' }

export const electionAndFencing: readonly Mutation[] = [
  {
    name: 'elected-outside-the-set',
    rule,
    without: 'only members of the in-sync set are elected: when none lives, any replica is',
    edits: [{
      file: rowPlan,
      search: 'if (able.length === 0) return idle(withoutLeader(row))',
      replace: 'if (able.length === 0) {\n' +
        '    const broker = row.replicas.map(id => facts.registered(id)).find(found => found !== undefined)\n' +
        '    if (broker === undefined) return idle(withoutLeader(row))\n' +
        '    const identity = { brokerId: broker.brokerId, volumeId: broker.volumeId, replicaGen: 0 }\n' +
        '    return idle(nextRow(row, { leader: broker.brokerId, leaderEpoch: row.leaderEpoch + 1, inSync: ' +
        '[identity], minInSync: 1 }))\n' +
        '  }'
    }],
    finders: ['seeds', 'plan elections']
  },
  {
    name: 'elected-from-a-set-not-written',
    rule,
    without: 'the set is the one of the last successful write, not one that is being decided',
    edits: [{
      file: 'broker/controller/desk.ts',
      search: 'if (row !== findRow(draft.base, row.topicId, row.partition)) continue',
      replace: ''
    }],
    finders: ['plan churn', 'seeds']
  },
  {
    name: 'elected-below-a-known-high-watermark',
    rule,
    without: 'nobody is elected whose end lies below a high watermark that any replica reports',
    edits: [
      {
        file: 'broker/controller/election.ts',
        search: 'ends.present && ends.durableEnd >= committed && canLead(identity)',
        replace: 'ends.present && canLead(identity)'
      },
      {
        file: 'broker/controller/election.ts',
        search: 'candidates.sort((a, b) => b.lastEpoch - a.lastEpoch || b.durableEnd - a.durableEnd ||',
        replace: 'candidates.sort((a, b) =>'
      },
      rolledBack
    ],
    note: 'with a rolled-back volume that is let in, and the highest end not preferred: members of a set hold all',
    finders: ['plan rolled-back volumes']
  },
  {
    name: 'leads-in-its-own-epoch',
    rule,
    without: 'a process leads only in an epoch above all that its disk held, and a new incarnation is elected anew',
    edits: [bootEpoch, reelection],
    note: 'two layers: the replica refuses, the controller elects anew',
    finders: ['seeds', 'plan elections', 'histories 3/2']
  },
  {
    name: 'leads-in-its-own-epoch-until-elected',
    rule,
    without: 'a process leads only in an epoch above all that its disk held when it started',
    edits: [bootEpoch],
    finders: ['histories 3/2', 'interleaving leader-restarts-in-its-epoch']
  },
  {
    name: 'serves-before-its-epoch-is-durable',
    rule,
    without: 'the new leader serves when its epoch is durable (KAFKA-7415), and a new incarnation is elected anew',
    edits: [
      {
        file: replica,
        search: 'this.#effects.whenDurable(() => {\n      if (this.#leader !== leader) return\n      ' +
          'leader.serve(now())\n' +
          '      this.#effects.roleChanged(this)\n    })',
        replace: 'leader.serve(now())\n    this.#effects.roleChanged(this)'
      },
      reelection
    ],
    note: 'two layers: without the second the controller elects anew whoever may have forgotten its epoch',
    finders: ['plan slow disks', 'seeds', 'interleaving kafka-7415-epoch-durable-before-serving']
  },
  {
    name: 'follows-before-its-epoch-is-durable',
    rule,
    without: 'a follower acknowledges in an epoch that is durable',
    edits: [{
      file: replica,
      search: 'this.#effects.whenDurable(() => {\n      if (this.#follower === follower) ' +
        'this.#effects.follow(follower)\n    })',
      replace: 'this.#effects.follow(follower)'
    }],
    finders: ['interleaving kafka-7415-epoch-durable-before-serving', 'histories 3/2']
  },
  {
    name: 'epoch-not-raised',
    rule,
    without: 'each election has a leader epoch of its own',
    edits: [{
      file: rowPlan,
      search: '{ leader, leaderEpoch: row.leaderEpoch + 1, inSync, minInSync }',
      replace: '{ leader, leaderEpoch: row.leaderEpoch, inSync, minInSync }'
    }]
  },
  {
    name: 'stops-before-leaderships-have-moved',
    rule,
    without: 'a graceful stop moves leaderships first',
    edits: [{
      file: 'broker/controller/reception.ts',
      search: "?.stopping === true && !this.#isNeeded(session.brokerId)) {",
      replace: '?.stopping === true) {'
    }],
    finders: ['scenario graceful-stop']
  },
  {
    name: 'silent-leader-keeps-leading',
    rule,
    without: 'a leader without a session loses its leaderships',
    edits: [{
      file: 'broker/controller/reception.ts',
      search: 'if (clock.now() - session.heardAt < limits.sessionTimeoutMs) continue',
      replace: 'if (session.heardAt >= 0) continue'
    }],
    finders: ['scenario silent-leader', 'seeds']
  }
]
