// docs/replication.md, "Follower: fetch and truncation".
import type { Mutation } from './mutation.ts'

const rule = 'Follower: fetch and truncation'
const follower = 'broker/partition/follower.ts'
const epochs = 'broker/partition/epochs.ts'
const leader = 'broker/partition/leader.ts'
const feeder = 'broker/partition/feeder.ts'
const logState = 'broker/log/log-state.ts'
const reader = 'broker/partition/reader.ts'

export const followerRules: readonly Mutation[] = [
  {
    name: 'follower-serves-its-log',
    rule: 'Reads from followers',
    without: 'a follower gives readers what it knows to be committed, not all that it has',
    edits: [{
      file: reader,
      search: 'const { log, highWatermark } = replica.state\n    if (offset < log.logStart',
      replace: 'const { log } = replica.state\n    const highWatermark = leader === undefined ? log.logEnd : ' +
        'replica.state.highWatermark\n    if (offset < log.logStart'
    }],
    finders: ['interleaving follower-reads', 'seeds']
  },
  {
    name: 'truncates-to-high-watermark',
    rule,
    without: 'a follower keeps its log until its leader says where they part (KIP-101)',
    edits: [{
      file: follower,
      search: 'if (hasEmptyEpoch(state.log)) state.log.truncate(state.log.logEnd)',
      replace: 'state.truncate(Math.max(state.highWatermark, state.log.logStart))'
    }]
  },
  {
    name: 'divergence-not-noticed',
    rule,
    without: 'the leader compares epochs when a follower subscribes',
    edits: [{
      file: epochs,
      search: 'return end.epoch < epoch || end.endOffset < fetchOffset ? end : undefined',
      replace: 'return fetchOffset > leader.logEnd ? end : undefined'
    }]
  },
  {
    name: 'divergence-by-offset-alone',
    rule,
    without: 'a follower whose last epoch the leader does not know has diverged',
    edits: [{
      file: epochs,
      search: 'return end.epoch < epoch || end.endOffset < fetchOffset ? end : undefined',
      replace: 'return end.endOffset < fetchOffset ? end : undefined'
    }],
    finders: ['seeds', 'plan elections', 'histories 3/2']
  },
  {
    name: 'asks-once',
    rule,
    without: 'a follower that has truncated asks again: one answer is not enough (KIP-279)',
    edits: [
      {
        file: follower,
        search: '    this.#fresh = true\n',
        replace: '    const asked = this.#fresh\n    this.#fresh = true\n'
      },
      { file: follower, search: 'lastEpoch: lastEpoch(log),', replace: 'lastEpoch: asked ? -1 : lastEpoch(log),' }
    ],
    finders: ['histories 3/2', 'plan elections', 'interleaving kip-279-fast-elections']
  },
  {
    name: 'not-below-own-end-of-the-epoch',
    rule,
    without: "a follower truncates to its own end of the leader's epoch where that is lower",
    edits: [{
      file: epochs,
      search: 'return Math.min(leader.endOffset, own.endOffset, follower.logEnd)',
      replace: 'return Math.min(leader.endOffset, follower.logEnd)'
    }],
    finders: ['plan elections', 'histories 3/2', 'interleaving kip-279-fast-elections']
  },
  {
    name: 'diverging-end-counts',
    rule,
    without: 'nothing that a diverging follower says counts (KAFKA-14704)',
    edits: [{
      file: leader,
      search: 'feed.diverged(end)\n',
      replace: 'feed.diverged(end)\n      this.acknowledge(this.inSync.follower(feed.identity), feed.durableEnd, ' +
        'nowMs)\n'
    }],
    finders: ['plan elections', 'seeds', 'histories 3/2']
  },
  {
    name: 'truncates-below-own-high-watermark',
    rule,
    without: 'a follower never truncates below its own high watermark, whatever a leader says: here one that says 0',
    edits: [
      {
        file: leader,
        search: 'feed.diverged(end)\n',
        replace: 'feed.diverged({ epoch: end.epoch, endOffset: log.logStart })\n'
      },
      { file: follower, search: 'if (offset < highWatermark) {', replace: 'if (offset < 0) {' }
    ],
    kind: 'truncation',
    note: 'with a leader that answers wrongly; with the rule in place the follower stops',
    finders: ['seeds', 'plan elections']
  },
  {
    name: 'subscription-of-an-older-epoch',
    rule,
    without: 'the leader refuses a subscription of a lower epoch',
    edits: [{
      file: feeder,
      search: "else if (request.leaderEpoch < leader.epoch) feed.refuse(new WireError('FENCED_EPOCH'), leader.row)\n",
      replace: ''
    }],
    finders: ['interleaving subscription-in-an-older-epoch', 'histories 3/2']
  },
  {
    name: 'late-answer-taken',
    rule,
    without: 'answers to a subscription that is over are dropped (KAFKA-18991)',
    edits: [{ file: 'broker/partition/leader-stream.ts', search: 'this.#byId.delete(subscription.id)', replace: '' }],
    finders: ['interleaving kafka-18991-late-answer', 'plan slow links', 'plan elections']
  },
  {
    name: 'tail-below-the-log-start-kept',
    rule,
    without: "a tail that ends below the leader's log start is not comparable and goes",
    edits: [{
      file: follower,
      search: 'return this.#fresh && logStart >= log.logEnd && log.logEnd > log.logStart',
      replace: 'return false'
    }],
    finders: ['interleaving tail-ends-at-the-log-start', 'plan retention']
  },
  {
    name: 'incomparable-end-counts',
    rule,
    without: 'the end of a tail that is not comparable counts when it is gone, durably',
    edits: [{ file: leader, search: 'if (!isIncomparable) this.acknowledge(', replace: 'this.acknowledge(' }],
    finders: ['interleaving reset-counts-when-durable']
  },
  {
    name: 'truncation-not-journaled',
    rule,
    without: 'a truncation is journaled',
    edits: [{
      file: 'broker/log/replica-log.ts',
      search: "frame.entries.offset('truncate', this.state.key, offset)",
      replace: ''
    }],
    finders: ['seeds', 'plan elections']
  },
  {
    name: 'truncation-keeps-epochs',
    rule,
    without: 'a truncation clears the epochs that began above it',
    edits: [{
      file: logState,
      search: 'while ((this.epochs.at(-1)?.startOffset ?? -1) >= offset) this.epochs.pop()',
      replace: ''
    }],
    finders: ['seeds', 'plan elections', 'histories 3/2']
  },
  {
    name: 'truncation-keeps-producers',
    rule,
    without: 'a truncation takes back what is known of producers',
    edits: [{ file: 'broker/partition/state.ts', search: 'this.producers.truncate(offset)', replace: '' }],
    finders: ['histories 3/2', 'plan elections', 'interleaving truncation-restores-producers']
  }
]
