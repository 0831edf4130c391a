// docs/queue-groups.md, "Rules of queue groups".
import type { Mutation } from './mutation.ts'

const rule = 'Rules of queue groups'
const desk = 'broker/group/queue-desk.ts'
const window = 'broker/group/queue-window.ts'
const choice = 'broker/group/queue-choice.ts'

export const queueGroups: readonly Mutation[] = [
  {
    name: 'queue-answered-before-commit',
    rule,
    without: 'a settlement is answered when it is in the log',
    edits: [{
      file: desk,
      search: "    lane.waiting.push({\n      step: { step: 'settle'",
      replace: "    this.#members.send(member, { settled: { sequence, error: '' } })\n" +
        "    lane.waiting.push({\n      step: { step: 'settle'"
    }],
    finders: ['plan queues']
  },
  {
    name: 'queue-delivery-not-counted',
    rule,
    without: 'every take counts as a delivery',
    edits: [{ file: window, search: '      entry.deliveries++\n', replace: '' }],
    finders: ['plan queues']
  },
  {
    name: 'queue-stale-settlement-counts',
    rule,
    without: 'a settlement counts if the record is still held by the take that it names',
    edits: [{
      file: window,
      search: 'entry.holder === member && entry.lease === lease) {',
      replace: "entry.holder !== '') {"
    }],
    finders: ['plan queues']
  },
  {
    name: 'queue-settled-twice-is-lost',
    rule,
    without: 'a settlement that is said again gets the same answer',
    edits: [{ file: window, search: 'all &&= offset < this.#end', replace: 'all = false' }],
    finders: ['plan queues']
  },
  {
    name: 'queue-held-record-given',
    rule,
    without: 'a record that somebody has is given to nobody else',
    note: 'two layers: it is not chosen, and a take of it would not count',
    edits: [
      { file: choice, search: "if (!passes || entry.holder !== '' ||", replace: 'if (!passes ||' },
      {
        file: window,
        search: "|| entry.holder !== '') continue\n      entry.lease",
        replace: ") continue\n      if (entry.holder !== '') this.#free(entry)\n      entry.lease"
      },
      { file: 'broker/group/queue-takes.ts', search: ' || window.entries.size === window.inFlight', replace: '' }
    ],
    finders: ['plan queues']
  },
  {
    name: 'queue-lease-without-end',
    rule,
    without: 'what a member has that is gone or silent is free again',
    note: 'two layers: leases end, and so does a membership',
    edits: [
      { file: window, search: 'if (!this.#held.has(member)) return\n', replace: 'return\n' },
      { file: desk, search: 'lane.lapsed(window, now, lateMs)', replace: 'lane.lapsed(window, -Infinity, lateMs)' }
    ],
    finders: ['plan queues']
  },
  {
    name: 'queue-found-at-its-place-alone',
    rule,
    without: 'what was found counts if the log ends where it begins: also for the first that is found',
    edits: [{
      file: desk,
      search: 'after: scan.isFirst ? -1 : from, found }',
      replace: 'after: window === undefined && lane.foundPending === 0 ? -1 : from, found }'
    }, {
      file: desk,
      search: 'if (scan.from === from && free.some(',
      replace: 'if (free.some('
    }],
    finders: ['plan queues and partitions', 'seeds']
  },
  {
    name: 'queue-order-of-keys-ignored',
    rule,
    without: 'a record waits until those of its key before it are finished',
    edits: [{
      file: choice,
      search: 'const passes = !rules.byKey || line.passes(entry.key)',
      replace: 'const passes = true'
    }],
    finders: ['plan ordered queues']
  },
  {
    name: 'queue-order-of-keys-ignored-at-once',
    rule,
    without: 'what was just found waits for what was found before it',
    edits: [{
      file: choice,
      search: 'for (const { key } of window?.entries.values() ?? []) line.passes(key)',
      replace: ''
    }],
    finders: ['plan ordered queues']
  },
  {
    name: 'queue-dead-letter-skipped',
    rule,
    without: 'a rejected record is finished when it is in the dead-letter topic',
    edits: [{
      file: desk,
      search: "const outcome = isRejected && this.settings?.deadLetterTopic !== '' ? 'doomed'",
      replace: "const outcome = isRejected ? 'rejected'"
    }],
    finders: ['plan queues']
  },
  {
    name: 'queue-deliveries-without-end',
    rule,
    without: 'a record is delivered at most maxDeliveries times',
    edits: [{
      file: choice,
      search: '(deliveriesMax > 0 && deliveries >= deliveriesMax))',
      replace: '(deliveriesMax > 0 && deliveries > deliveriesMax))'
    }],
    finders: ['plan queues']
  },
  {
    name: 'queue-handed-out-again',
    rule,
    without: 'a member that settled a record keeps it until that was answered, and does not hand it out again',
    edits: [{
      file: 'client/queue-settlements.ts',
      search: '        signal?.removeEventListener(\'abort\', aborted)\n        finish()',
      replace: '        signal?.removeEventListener(\'abort\', aborted)\n        ended()\n        finish()'
    }],
    finders: ['plan queues', 'seeds']
  }
]
