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
const bootEpoch = { file: replica, search: 'row.leaderEpoch > this.#bootEpoch && ', replace: '' }

export const electionAndFencing: readonly Mutation[] = [
  {
    name: 'whoever-answers-is-the-missing-one',
    rule,
    without: 'a missing broker lives only when it answers itself: another one that has its address now does not count',
    edits: [{
      file: 'broker/controller/watch.ts',
      search: "if (answer.brokerId !== brokerId || answer.incarnation !== broker.incarnation) return 'gone'",
      replace: ''
    }],
    finders: ['scenario inherited-address']
  },
  {
    name: 'elected-outside-the-set',
    rule,
    without: 'only members of the in-sync set are elected: when none lives, any replica is',
    edits: [{
      file: rowPlan,
      search: 'if (able.length === 0) return standing === \'lost\' ? idle(withoutLeader(row)) ' +
        ': calm(row, topic, facts)',
      replace: 'if (able.length === 0 && standing !== \'lost\') return calm(row, topic, facts)\n' +
        '  if (able.length === 0) {\n' +
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
    without: 'the new leader serves when its epoch is durable (KAFKA-7415)',
    edits: [
      {
        file: replica,
        search: 'this.#effects.whenDurable(() => {\n      if (this.#leader !== leader) return\n      ' +
          'leader.serve(now())\n' +
          '      this.#effects.roleChanged(this)\n    })',
        replace: 'leader.serve(now())\n    this.#effects.roleChanged(this)'
      }
    ],
    finders: ['histories 3/2', 'interleaving kafka-7415-epoch-durable-before-serving']
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
    finders: ['interleaving follows-when-its-epoch-is-durable']
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
    name: 'silent-leader-keeps-leading',
    rule,
    without: 'a leader without a session loses its leaderships',
    note: 'two layers: its session times out, and keepalives break its connection',
    edits: [{
      file: 'broker/controller/reception.ts',
      search: 'if (clock.now() - session.heardAt < limits.sessionTimeoutMs) continue',
      replace: 'if (session.heardAt >= 0) continue'
    }, {
      file: 'broker/limits.ts',
      search: 'export const peerKeepaliveMs = 1_500',
      replace: 'export const peerKeepaliveMs = 60_000'
    }],
    finders: ['scenario silent-leader', 'seeds']
  },
  {
    name: 'recovered-without-barring',
    rule,
    without: 'the members that a person gave up are barred from then on',
    edits: [{
      file: 'broker/controller/recover.ts',
      search: 'barred: [...known, ...row.inSync].slice(-limits.barredMax)',
      replace: 'barred: known'
    }],
    finders: ['plan losses', 'seeds']
  },
  {
    name: 'recovered-by-the-worst',
    rule,
    without: 'a person who names no survivor gets the live replica with the highest (last epoch, durable end)',
    edits: [{
      file: 'broker/controller/recover.ts',
      search: 'b.lastEpoch - a.lastEpoch || b.durableEnd - a.durableEnd ||',
      replace: 'a.lastEpoch - b.lastEpoch || a.durableEnd - b.durableEnd ||'
    }],
    kind: 'script',
    finders: ['scenario recovered-by-the-best', 'plan losses']
  },
  {
    name: 'preferred-leaders-do-not-return',
    rule,
    without: 'preferred leaders return when caught up',
    edits: [{
      file: 'broker/controller/preferred.ts',
      search: 'if (preferred !== nobody) wishes.push(wishFor(row, preferred, roster))',
      replace: ''
    }],
    finders: ['seeds']
  }
]
