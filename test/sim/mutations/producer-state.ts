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
    name: 'truncation-forgets-the-last-sequence',
    rule,
    without: 'after a truncation the last sequence is that of the last batch that is left',
    edits: [{ file: states, search: 'producer.lastSequence = last.lastSequence\n', replace: '' }],
    finders: ['seeds', 'plan elections', 'interleaving truncation-restores-producers']
  },
  {
    name: 'journal-without-fsync',
    rule: pitfalls,
    without: 'a frame is durable when it is fsynced',
    edits: [{ file: journal, search: 'await file.sync()\n    if (this.#failed) return', replace: '' }]
  },
  {
    name: 'failed-fsync-tried-again',
    rule: pitfalls,
    without: 'a failed fsync is final: the kernel has dropped the pages',
    edits: [{
      file: journal,
      search: 'await file.sync()\n    if (this.#failed) return',
      replace: 'await file.sync().catch(() => undefined)'
    }],
    finders: ['plan disk errors', 'seeds']
  },
  {
    name: 'durable-in-the-page-cache',
    rule: pitfalls,
    without: 'what recovery finds is written anew and fsynced before it counts',
    edits: [{ file: 'broker/log/journal-rewriter.ts', search: 'await this.#file.sync()', replace: '' }],
    finders: ['seeds', 'plan slow disks']
  }
]
