// docs/replication.md, "Append and commit".
import type { Mutation } from './mutation.ts'

const rule = 'Append and commit'
const inSync = 'broker/partition/in-sync.ts'
const leader = 'broker/partition/leader.ts'
const reader = 'broker/partition/reader.ts'
const leaderStream = 'broker/partition/leader-stream.ts'

export const appendAndCommit: readonly Mutation[] = [
  {
    name: 'append-below-floor',
    rule,
    without: 'the leader refuses appends when fewer than minInSync members live',
    edits: [{ file: leader, search: "if (this.belowFloor) return new WireError('NOT_ENOUGH_REPLICAS')", replace: '' }]
  },
  {
    name: 'commit-by-majority',
    rule,
    without: 'the high watermark is the lowest end of the set: a majority is enough',
    edits: [{
      file: inSync,
      search: 'for (const progress of this.#counted) if (progress.end < lowest) lowest = progress.end',
      replace: 'const ends = [ownEnd, ...this.#counted.map(progress => progress.end)].sort((a, b) => b - a)\n' +
        '    lowest = Math.min(lowest, ends[Math.floor(ends.length / 2)])'
    }]
  },
  {
    name: 'high-watermark-falls',
    rule,
    without: 'the high watermark of a leader never falls',
    edits: [{
      file: 'broker/partition/state.ts',
      search: 'if (offset <= this.#highWatermark) return',
      replace: 'if (offset === this.#highWatermark || offset < 0) return'
    }],
    finders: ['plan elections', 'seeds', 'histories 3/2']
  },
  {
    name: 'commit-without-pending-sets',
    rule,
    without: 'the sets that a pending change names count',
    edits: [{ file: inSync, search: ', ...this.#pending?.named ?? []]', replace: ']' }],
    finders: ['seeds', 'plan churn', 'histories 3/2']
  },
  {
    name: 'commit-with-row-not-durable',
    rule,
    without: 'the set before counts until the new row is durable at the leader',
    edits: [{ file: inSync, search: 'this.#rows.push(row)', replace: 'this.#rows = [row]' }],
    finders: ['plan slow disks', 'histories 3/2']
  },
  {
    name: 'unknown-end-passed-over',
    rule,
    without: 'a member that has not said its end in this epoch holds the high watermark',
    edits: [{
      file: inSync,
      search: 'if (progress.end < lowest)',
      replace: 'if (progress.end >= 0 && progress.end < lowest)'
    }]
  },
  {
    name: 'own-end-not-fsynced',
    rule,
    without: "the leader's own end counts when fsynced",
    edits: [{
      file: leader,
      search: 'this.inSync.lowestEnd(state.durableEnd)',
      replace: 'this.inSync.lowestEnd(state.log.logEnd)'
    }]
  },
  {
    name: 'acknowledged-before-fsync',
    rule,
    without: 'followers acknowledge what is fsynced',
    edits: [{
      file: leaderStream,
      search: 'const { durableEnd } = subscription.follower.state',
      replace: 'const durableEnd = subscription.follower.state.log.logEnd'
    }]
  },
  {
    name: 'reset-counts-at-once',
    rule,
    without: 'what a reset removed and a crash would bring back is not vouched for',
    edits: [{ file: 'broker/partition/state.ts', search: 'this.#resets > 0 ? 0 : ', replace: '' }],
    finders: ['interleaving reset-counts-when-durable']
  },
  {
    name: 'fetch-offset-as-end',
    rule,
    without: 'a fetch offset is not an end',
    edits: [{
      file: leader,
      search: 'this.acknowledge(progress, feed.durableEnd, nowMs)',
      replace: 'this.acknowledge(progress, feed.fetchOffset, nowMs)'
    }],
    finders: ['seeds', 'plan slow disks', 'histories 3/2']
  },
  {
    name: 'answered-before-commit',
    rule,
    without: 'a producer is answered when the high watermark passes its batch',
    edits: [{
      file: leader,
      search: 'this.#pending.add(log.logEnd, baseOffset, this.epoch, batch.length, nowMs, done)',
      replace: 'done(undefined, baseOffset, this.epoch)'
    }]
  },
  {
    name: 'repeat-answered-early',
    rule,
    without: 'a repeat is answered when the first copy is committed',
    edits: [{
      file: leader,
      search: 'this.#pending.add(end, batch.baseOffset, this.epoch, 0, nowMs, done)',
      replace: 'done(undefined, batch.baseOffset, this.epoch)'
    }]
  },
  {
    name: 'answers-out-of-order',
    rule,
    without: 'a refusal waits for the answers of the batches before it',
    edits: [{
      file: 'broker/partition/pending-appends.ts',
      search: 'if (this.length === 0 || last === undefined) {',
      replace: 'if (true || last === undefined) {'
    }],
    finders: ['seeds', 'interleaving repeats']
  },
  {
    name: 'read-above-high-watermark',
    rule,
    without: 'consumers read below the high watermark',
    edits: [
      {
        file: reader,
        search: 'if (offset >= highWatermark || leader?.ready === false)',
        replace: 'if (offset >= log.logEnd)'
      },
      {
        file: reader,
        search: 'let records = log.readTail(offset, highWatermark, bytesMax)',
        replace: 'let records = log.readTail(offset, log.logEnd, bytesMax)'
      }
    ]
  },
  {
    name: 'out-of-range-above-high-watermark',
    rule,
    without: 'between the high watermark and the end readers wait',
    edits: [{ file: reader, search: 'offset > log.logEnd) throw', replace: 'offset > highWatermark) throw' }],
    finders: ['plan elections', 'seeds']
  },
  {
    name: 'latest-steps-back',
    rule,
    without: 'a new leader says nothing of its end before its high watermark reaches its epoch',
    edits: [{
      file: leader,
      search: 'this.#ready && this.#state.highWatermark >= this.epochStart',
      replace: 'this.#ready'
    }],
    finders: ['plan elections', 'interleaving kafka-7128-join-below-epoch-start']
  },
  {
    name: 'told-end-falls',
    rule,
    without: 'the high watermark never falls for any one observer: a new leader may know less than the last one told',
    edits: [{
      file: 'client/partition-reader.ts',
      search: 'this.highWatermark = Math.max(this.highWatermark, highWatermark)',
      replace: 'this.highWatermark = highWatermark'
    }],
    finders: ['seeds', 'plan elections']
  }
]
