// docs/replication.md, "Becoming and being the controller".
import type { Mutation } from './mutation.ts'

const rule = 'Becoming and being the controller'
const takeover = 'broker/controller/takeover.ts'
const writer = 'broker/controller/writer.ts'
const restore = 'broker/controller/restore.ts'
const roster = 'broker/controller/roster.ts'
const partitionRoster = 'broker/partition/roster.ts'

const ownTablesOnly = {
  file: writer,
  search: "if (found.controllerEpoch > this.#options.controllerEpoch) throw new OfficeLost('a newer controller " +
    "has stamped it')\n" +
    '    if (found.uid !== this.#table.uid || found.writeId !== this.#table.writeId) {',
  replace: 'if (found.uid !== this.#table.uid) {'
}

const noSuspicion = {
  file: takeover,
  search: "const suspicion = options.doubt !== '' ? options.doubt : suspect(options, lease, before, found.size)",
  replace: "const suspicion = ''"
}
const unknownTopicsIgnored = {
  file: restore,
  search: 'if (removals.isDeleted(topicId) || this.#unknown.has(topicId)) continue',
  replace: "if (topicId !== '') continue"
}

export const controller: readonly Mutation[] = [
  {
    name: 'no-stamps',
    rule,
    without: 'a new controller stamps each table, and a table that somebody else has written ends an office',
    edits: [
      {
        file: takeover,
        search: 'const root = await stamp(store, controllerEpoch, before ?? store.newTable(name), suspicion)',
        replace: 'const root = before !== undefined && suspicion === \'\' ? { ...before, controllerEpoch }\n' +
          '    : await stamp(store, controllerEpoch, before ?? store.newTable(name), suspicion)'
      },
      ownTablesOnly
    ],
    note: 'two layers: stamps make late writes fail; whoever finds another\'s write gives up',
    finders: ['scenario two-controllers', 'plan takeovers', 'seeds']
  },
  {
    name: 'foreign-write-ignored',
    rule,
    without: 'a higher stamp, or a write that is not its own, ends the office',
    edits: [ownTablesOnly],
    finders: ['scenario two-controllers', 'plan takeovers', 'seeds']
  },
  {
    name: 'controller-epoch-from-the-lease-alone',
    rule,
    without: 'the controller epoch is above the Lease, all stamps and what brokers have seen',
    edits: [
      { file: takeover, search: 'Math.max(lease.epoch, options.epochSeen, ...stamps) + 1', replace: 'lease.epoch + 1' },
      {
        file: takeover,
        search: 'if (current.controllerEpoch >= controllerEpoch) {',
        replace: 'if (current.controllerEpoch < 0) {'
      }
    ],
    finders: ['plan takeovers', 'seeds']
  },
  {
    name: 'restored-tables-not-noticed',
    rule,
    without: 'tables that are older than what brokers know are noticed',
    edits: [
      noSuspicion,
      { file: restore, search: '|| this.isFrozen(table.name)) continue', replace: '|| true) continue' },
      {
        file: 'broker/controller/desk.ts',
        search: 'if (isFromTheFuture(row, request)) {',
        replace: 'if (false as boolean) {'
      }
    ],
    finders: ['plan tables', 'seeds']
  },
  {
    name: 'restored-without-all-brokers',
    rule,
    without: 'restoring waits for every broker of the table',
    edits: [{
      file: restore,
      search: 'if (missing.length > 0 || !this.#enough()) {',
      replace: 'if (missing.length > 99) {'
    }],
    finders: ['plan tables']
  },
  {
    name: 'restored-in-an-old-epoch',
    rule,
    without: 'a restored row begins a leader epoch above every one that there was',
    edits: [{
      file: 'broker/controller/restore-rows.ts',
      search: 'const leaderEpoch = Math.max(epoch + 1, controllerEpoch * epochsPerController)',
      replace: 'const leaderEpoch = stored?.leaderEpoch ?? epoch'
    }],
    finders: ['plan tables', 'seeds']
  },
  {
    name: 'missing-table-taken-for-empty',
    rule,
    without: 'a table that the root names and that is gone was lost',
    edits: [noSuspicion, unknownTopicsIgnored],
    finders: ['plan tables', 'seeds']
  },
  {
    name: 'wiped-volume-is-the-old-member',
    rule,
    without: 'an empty volume under the same broker id is another identity, for controller and replicas',
    edits: [
      { file: 'broker/row.ts', search: ' && a.volumeId === b.volumeId && a.replicaGen === b.replicaGen', replace: '' },
      { file: roster, search: "if (session.info.volumeId !== identity.volumeId) return 'dead'", replace: '' },
      { file: 'broker/partition/in-sync.ts', search: ' && broker.volumeId === member.volumeId', replace: '' },
      {
        file: roster,
        search: 'const wiped = known !== undefined && known.volumeId !== identity.volumeId',
        replace: 'const wiped = false'
      }
    ],
    note: 'the identity is compared in several places',
    finders: ['plan volumes', 'scenario lost-volume', 'seeds']
  },
  {
    name: 'data-removed-without-an-order',
    rule,
    without: 'data that no row names is moved to stray/, after a time: it is removed at once',
    edits: [
      noSuspicion, unknownTopicsIgnored,
      {
        file: partitionRoster,
        search: 'volume.moveToStray(replica.log)',
        replace: 'volume.remove(replica.log)'
      },
      {
        file: 'broker/limits.ts',
        search: 'export const strayAfterMs = 10 * 60_000',
        replace: 'export const strayAfterMs = 0'
      }
    ],
    kind: 'removed data',
    note: 'with a controller that takes lost tables for empty ones',
    finders: ['plan tables']
  },
  {
    name: 'silence-from-before-counts',
    rule,
    without: 'a peer that does not answer agrees that the controller is lost only after 10 s without an answer and ' +
      'without a controller',
    edits: [{ file: 'broker/session/agent.ts', search: 'this.#search.forgetSilence()\n', replace: '' }],
    finders: ['scenario cut-off']
  },
  {
    name: 'deaf-broker-is-there',
    rule,
    without: 'a broker that is heard but hears nobody was last there when it heard of the controller',
    edits: [{
      file: 'broker/controller/roster.ts',
      search: 'heardAt: session.reachedAt',
      replace: 'heardAt: session.heardAt'
    }],
    finders: ['scenario cut-off']
  },
  {
    name: 'deaf-controller-is-there',
    rule,
    without: 'a controller that is heard but does not answer is as lost as a silent one',
    edits: [
      {
        file: 'broker/session/link.ts',
        search: 'now - this.reachedAt >= limits.sessionTimeoutMs / 2',
        replace: 'now - this.heardAt >= limits.sessionTimeoutMs / 2'
      },
      {
        file: 'broker/session/agent.ts',
        search: 'if (this.#isDeaf(controller, controllerEpoch)) return this.#identified(seen)\n',
        replace: ''
      }
    ],
    finders: ['scenario cut-off']
  },
  {
    name: 'hint-outlives-its-session',
    rule,
    without: 'where a controller was found is forgotten when its session is there',
    edits: [{
      file: 'broker/session/agent.ts',
      search: 'if ((this.#hint?.controllerEpoch ?? 0) <= where.controllerEpoch) this.#hint = undefined',
      replace: ''
    }],
    finders: ['scenario cut-off']
  },
  {
    name: 'lost-under-an-old-epoch',
    rule,
    without: 'who lost a controller takes the Lease from it as it was when it registered, not as it was found',
    edits: [{
      file: 'broker/session/agent.ts',
      search: 'await this.#campaign(this.#controller)',
      replace: 'await this.#campaign(where)'
    }],
    finders: ['scenario cut-off']
  },
  {
    name: 'order-removes-what-a-row-names',
    rule,
    without: 'an order removes the very replica that it names, and none that a row names',
    edits: [{
      file: partitionRoster,
      search: 'replica.log.replicaGen !== replicaGen || this.#isNamed(replica)',
      replace: 'false as boolean'
    }],
    finders: ['interleaving removal']
  },
  {
    name: 'replica-made-again-is-the-first',
    rule,
    without: 'a replica that is made again has a generation of its own',
    edits: [{
      file: partitionRoster,
      search: 'volume.knew(topicId, partition) ? 1 + rng.integer(replicaGenMax) : 0',
      replace: '0'
    }],
    finders: ['plan bit flips', 'plan read errors']
  }
]
