// docs/replication.md, "Changing the in-sync set".
import type { Mutation } from './mutation.ts'

const rule = 'Changing the in-sync set: a compare-and-swap at the controller'
const leader = 'broker/partition/in-sync.ts'
const controller = 'broker/controller/in-sync.ts'
const writer = 'broker/controller/writer.ts'
const store = 'broker/controller/store.ts'
const notFenced = "if (broker === undefined) return 'is fenced'"
const leadersFloor = 'if (rest.filter(other => isLive(other, find)).length >= row.minInSync) inSync = rest'
const controllersFloor = 'if (live >= row.minInSync) return undefined'

export const inSyncSet: readonly Mutation[] = [
  {
    name: 'controller-shrinks-below-floor',
    rule,
    without: 'the controller drops dead members only while minInSync live ones remain',
    edits: [{
      file: controller, search: 'const rest = live >= row.minInSync && remaining', replace: 'const rest = remaining'
    }]
  },
  {
    name: 'held-up-members-dropped-below-floor',
    rule,
    without: 'the controller drops members that live, and are held up, only while minInSync others live',
    edits: [{ file: controller, search: 'return reached >= row.minInSync ? near : rest', replace: 'return near' }],
    finders: ['scenario slow-disks-at-the-floor']
  },
  {
    name: 'stalled-member-holds-up',
    rule,
    without: 'a member whose disk takes nothing leaves the set after 2 s',
    edits: [{
      file: controller,
      search: 'facts.isCutOff(brokerId, leader) || facts.isStalled(brokerId)',
      replace: 'facts.isCutOff(brokerId, leader)'
    }],
    finders: ['scenario hanging-disk']
  },
  {
    name: 'leader-shrinks-below-floor',
    rule,
    without: 'a leader may shrink its set only while minInSync live members remain, at the leader and at the ' +
      'controller',
    edits: [
      { file: leader, search: leadersFloor, replace: 'inSync = rest' },
      { file: controller, search: controllersFloor, replace: 'if (live >= 0) return undefined' }
    ],
    note: 'two layers: the leader does not ask, the controller would refuse',
    finders: ['scenario slow-disks-at-the-floor', 'plan churn']
  },
  {
    name: 'joins-below-high-watermark',
    rule,
    without: "a new member's end is at or above the high watermark",
    edits: [{
      file: leader,
      search: 'progress.end >= highWatermark && progress.end >= epochStart',
      replace: 'progress.end >= epochStart'
    }],
    finders: ['histories 3/2', 'plan churn']
  },
  {
    name: 'joins-below-epoch-start',
    rule,
    without: "a new member's end is at or above the start of the leader's epoch (KAFKA-7128)",
    edits: [{
      file: leader,
      search: 'progress.end >= highWatermark && progress.end >= epochStart',
      replace: 'progress.end >= highWatermark'
    }],
    finders: ['interleaving kafka-7128-join-below-epoch-start', 'histories 3/2']
  },
  {
    name: 'fenced-member-added',
    rule,
    without: 'a fenced, stopping or restarted broker is not added, by leader and controller (KIP-841, KIP-903)',
    edits: [
      { file: leader, search: 'isLive(progress.identity, find) && !broker.stopping &&', replace: '' },
      {
        file: leader,
        search: 'broker.brokerEpoch === progress.brokerEpoch && isReplica(row, brokerId)',
        replace: 'isReplica(row, brokerId)'
      },
      { file: controller, search: notFenced, replace: "if (broker === undefined) return ''" },
      {
        file: controller,
        search: "if (added?.brokerEpoch !== broker.brokerEpoch) return 'has restarted since'",
        replace: ''
      },
      { file: controller, search: "return state === 'live' ? '' : `is ${state}`", replace: "return ''" }
    ],
    note: 'two layers: the leader does not ask, the controller would refuse',
    finders: ['plan churn', 'seeds', 'interleaving kip-841-fenced-broker-is-not-added']
  },
  {
    name: 'refusal-ends-a-pending-change',
    rule,
    without: 'only a row with a higher version ends a pending change: a refusal does',
    edits: [{
      file: leader,
      search: 'if (pending !== undefined) pending.retryMs = Math.min(pending.retryMs, nowMs + pending.pauseMs / 4)',
      replace: 'this.#pending = undefined\n    this.#count()'
    }],
    finders: ['histories 3/2', 'plan churn', 'interleaving pending-expand']
  },
  {
    name: 'timeout-ends-a-pending-change',
    rule,
    without: 'only a row with a higher version ends a pending change: asking again forgets what was asked before',
    edits: [{
      file: leader,
      search: 'if (nowMs < pending.askedMs + limits.inSyncRetryMs) return undefined',
      replace: 'this.#pending = undefined\n      this.#count()\n      return undefined'
    }],
    finders: ['interleaving pending-expand-granted-late', 'histories 3/2', 'plan churn']
  },
  {
    name: 'lost-session-ends-a-pending-change',
    rule,
    without: 'only a row with a higher version ends a pending change: a follower whose stream ends does',
    edits: [{
      file: leader,
      search: 'progress.streaming = false\n',
      replace: 'progress.streaming = false\n    this.#pending = undefined\n    this.#count()\n'
    }],
    finders: ['histories 3/2', 'plan churn', 'seeds']
  },
  {
    name: 'strict-check-of-all-members',
    rule,
    without: 'a request is checked for its added members alone',
    edits: [{
      file: controller,
      search: 'if (hasIdentity(row.inSync, member)) continue',
      replace: "if (hasIdentity(row.inSync, member) && facts.member(row.topicId, row.partition, member) === " +
        "'live') continue"
    }],
    finders: ['scenario dead-member-while-asking']
  },
  {
    name: 'pushed-before-written',
    rule,
    without: 'rows are pushed when their write has landed',
    edits: [{
      file: writer,
      search: 'this.#unresolved = true\n',
      replace: 'this.#unresolved = true\n    written.call(this.#options, this.#table, ' +
        'draft.finish(controllerEpoch, this.#table.writeId))\n'
    }],
    finders: ['plan takeovers', 'seeds']
  },
  {
    name: 'landed-write-taken-for-lost',
    rule,
    without: 'after a conflict the controller compares with its own write: it goes on from what it knew',
    edits: [
      {
        file: store,
        search: 'if (found?.writeId === table.writeId) return this.#landed(table, found.uid, found.resourceVersion)',
        replace: ''
      },
      {
        file: writer,
        search: 'if (found.uid !== this.#table.uid || found.writeId !== this.#table.writeId) {',
        replace: 'if (found.uid !== this.#table.uid) {'
      }
    ],
    note: 'two layers: the comparison by writeId, and that a table which somebody else wrote ends the office',
    finders: ['plan takeovers', 'seeds']
  },
  {
    name: 'write-without-compare',
    rule,
    without: 'writes test the resourceVersion that they were decided from',
    edits: [{
      file: store,
      search: 'const outcome = await this.#compare(table)',
      replace: 'const outcome = undefined\n          const now = await this.read(table.name)\n' +
        '          if (now !== undefined) Object.assign(object.metadata, { uid: now.uid, resourceVersion: ' +
        'now.resourceVersion })'
    }],
    finders: ['scenario two-controllers', 'plan takeovers', 'seeds']
  }
]
