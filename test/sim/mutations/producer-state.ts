// docs/replication.md, "Producer state"; and what a disk may do, "Pitfalls that other systems met".
import type { Mutation } from './mutation.ts'

const rule = 'Producer state'
const states = 'broker/partition/producer-state.ts'
const pitfalls = 'Pitfalls that other systems met (each a test)'
const journal = 'broker/log/journal.ts'

export const producerState: readonly Mutation[] = [
  {
    name: 'followers-forget-producers',
    rule,
    without: 'followers rebuild the state of producers from the log',
    edits: [{
      file: 'broker/partition/follower.ts',
      search: 'for (const header of found) producers.update(header, header.baseOffset, nowMs)',
      replace: ''
    }]
  },
  {
    name: 'producers-not-loaded',
    rule,
    without: 'the state of producers is loaded when a broker starts',
    edits: [{
      file: 'broker/partition/load-producers.ts',
      search: 'while (offset < log.logEnd) {',
      replace: 'while (offset < 0) {'
    }]
  },
  {
    name: 'any-sequence-accepted',
    rule,
    without: 'the next sequence is the last plus one',
    edits: [{
      file: states,
      search: "return header.baseSequence === sequenceAfter(producer.lastSequence) ? 'next' : 'out-of-order'",
      replace: "return 'next'"
    }]
  },
  {
    name: 'repeat-not-recognised',
    rule,
    without: 'an exact repeat is recognised',
    edits: [
      {
        file: states,
        search: "return header.baseSequence === sequenceAfter(producer.lastSequence) ? 'next' : 'out-of-order'",
        replace: "return 'next'"
      },
      {
        file: states,
        search: 'batch.lastSequence === last) return batch',
        replace: 'batch.lastSequence === -2) return batch'
      }
    ]
  },
  {
    name: 'repeat-gets-a-new-offset',
    rule,
    without: 'a repeat gets the offset of the first',
    edits: [{
      file: 'broker/partition/leader.ts',
      search: 'this.#pending.add(end, batch.baseOffset, this.epoch, 0, nowMs, done)',
      replace: 'this.#pending.add(end, this.#state.log.logEnd, this.epoch, 0, nowMs, done)'
    }]
  },
  {
    name: 'repeat-refused-for-its-time',
    rule,
    without: 'a repeat is known as one whatever the clock says now',
    edits: [{
      file: 'broker/partition/leader.ts',
      search: '    if (header.producerId >= 0) {\n      const check',
      replace: "    if (header.maxTimestamp > timestampMax) return new WireError('INVALID_TIMESTAMP')\n" +
        '    if (header.producerId >= 0) {\n      const check'
    }],
    finders: ['plan clock jumps', 'seeds']
  },
  {
    name: 'truncation-forgets-the-last-sequence',
    rule,
    without: 'after a truncation the last sequence is that of the last batch that is left',
    edits: [{ file: states, search: 'producer.lastSequence = last.lastSequence\n', replace: '' }],
    finders: ['histories 3/2', 'plan elections', 'interleaving truncation-restores-producers']
  },
  {
    name: 'journal-without-fsync',
    rule: pitfalls,
    without: 'a frame is durable when it is fsynced',
    edits: [{ file: journal, search: 'await file.sync()\n    if (this.#failed) return', replace: '' }]
  },
  {
    name: 'rolled-back-volume-accepted',
    rule: pitfalls,
    without: 'a volume that has gone back to an older copy is refused',
    edits: [{
      file: 'broker/controller/roster.ts',
      search: 'if (!isFork && (info.brokerEpoch > known.brokerEpoch || info.incarnation === known.incarnation)) {',
      replace: 'if (info.brokerEpoch > 0) {'
    }],
    finders: ['plan rolled-back volumes']
  },
  {
    name: 'volume-of-another-broker-accepted',
    rule: pitfalls,
    without: 'a volume says whose it is',
    edits: [{ file: 'broker/log/meta.ts', search: 'if (broker !== brokerId) {', replace: 'if (broker < 0) {' }],
    finders: ['plan swapped volumes']
  },
  {
    name: 'damaged-replica-keeps-its-generation',
    rule: pitfalls,
    without: 'a replica that recovery found damaged is a new learner',
    edits: [{
      file: 'broker/log/recovery.ts',
      search: 'state.replicaGen += 1 + this.#options.rng.integer(unknownGenMax)',
      replace: ''
    }],
    finders: ['scenario rotten-journal-alone', 'plan bit flips']
  },
  {
    name: 'corruption-taken-for-a-torn-tail',
    rule: pitfalls,
    without: 'a broken frame that a later one bears witness of was acknowledged: its replicas are damaged',
    edits: [{
      file: 'broker/log/recovery.ts',
      search: 'else if (await reader.hasWitness(frame.sequence + 1)) {',
      replace: 'else if (await reader.hasWitness(frame.sequence + 1) && false) {'
    }],
    finders: ['scenario rotten-journal-alone']
  },
  {
    name: 'checksum-not-looked-at',
    rule: pitfalls,
    without: 'a frame counts when its checksum is right',
    edits: [{ file: 'broker/log/recovery.ts', search: 'if (frame.whole) {', replace: 'if (frame.sequence >= 0) {' }],
    finders: ['plan slow disks', 'plan bit flips', 'seeds']
  },
  {
    name: 'durable-in-the-page-cache',
    rule: pitfalls,
    without: 'what recovery finds is written anew and fsynced before it counts',
    edits: [{ file: 'broker/log/journal-rewriter.ts', search: 'await this.#file.sync()', replace: '' }],
    finders: ['seeds', 'plan slow disks']
  }
]
