// 'Sometimes' assertions: states that a good set of seeds must reach, counted over all of them. A state
// that is never reached shows a simulator that has gone blind.

export const sometimes = [
  'a leader was elected', 'a leader was elected by the restart of its own broker', 'a leader restarted in its own epoch',
  'leadership moved while its leader lived', 'two leaders at once', 'the office of controller changed hands',
  'two controllers at once', 'the in-sync set shrank', 'the in-sync set grew', 'a leader was elected while a change of its set was pending',
  'a change of the set named a member that the row lacks', 'a partition had no leader', 'a follower truncated', 'a follower began anew',
  'a batch was repeated', 'a produce request was refused below the floor', 'a send ended unknown', 'a send failed',
  'a write reached the API late', 'an API write conflicted', 'a table was restored from a backup', 'a segment rolled',
  'a replica was read from disk', 'a broker was started while it was unregistered', 'a stream met back-pressure',
  'a unary request came twice', 'a replica recovered records', 'a volume was lost', 'a group resumed'
] as const

export type Sometimes = typeof sometimes[number]

export class Coverage {
  readonly counts = new Map<Sometimes, number>()

  reached (state: Sometimes, times = 1): void {
    if (times > 0) this.counts.set(state, (this.counts.get(state) ?? 0) + times)
  }

  merge (other: Coverage): void {
    for (const [state, times] of other.counts) this.reached(state, times)
  }

  get missing (): Sometimes[] { return sometimes.filter((state) => !this.counts.has(state)) }
}
