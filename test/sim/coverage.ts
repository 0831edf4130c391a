// 'Sometimes' assertions: states that a good set of seeds must reach, counted over all of them. A state
// that is never reached shows a simulator that has gone blind.

export const sometimes = [
  'a leader was elected', 'a leader was elected by the restart of its own broker', 'two leaders at once',
  'a partition had no leader', 'an election found nobody',
  'the office of controller changed hands', 'two controllers at once',
  'the in-sync set shrank', 'the in-sync set grew', 'a change of a set was refused',
  'a leader was elected while a change of the set was pending', 'a change of the set named a member that the row lacks',
  'a follower truncated', 'a follower began anew', 'a batch was repeated', 'an append was refused or unanswered',
  'a send ended unknown', 'a send failed', 'a group resumed',
  'a write reached the API late', 'an API write conflicted',
  'a replica recovered records', 'a segment was read', 'retention removed records', 'a volume was lost',
  'a table was lost', 'a topic was applied again after a restore', 'space on a disk was low', 'a disk was full',
  'a topic got more partitions', 'settings of a topic changed', 'an orphaned topic was adopted',
  'a topic was deleted and made again', 'a deleted topic was removed everywhere',
  'a consumer was told that its topic is gone',
  'a broker was added', 'a broker was drained and removed', 'a broker was drained and removed among other faults',
  'a partition moved', 'a move was given up',
  'a move got another target', 'a leader was elected while its partition moved', 'an added broker got partitions',
  'an added broker has its share', 'a partition moved in spite of a fault', 'a preferred leader got its partition back',
  'the brokers were restarted one after another', 'a topic got fewer replicas', 'a topic got more replicas',
  'a partition got another number of replicas',
  'a bit flipped on a disk', 'damage was found on a disk', 'a replica was renewed after damage', 'volumes were swapped',
  'a volume was rolled back', 'a rolled-back volume became a new one',
  'a member left', 'a member died', 'a member stood still', 'a member was fenced', 'a member was too slow',
  'a member gave a partition away', 'a commit was fenced', 'a commit waited for another',
  'a partition was lost while a commit waited',
  'a worker left', 'a worker died', 'a worker stood still', 'a lease was lost', 'a record was delivered again',
  'a record was dead-lettered after its deliveries', 'a rejected record was dead-lettered',
  'workers kept to the order of keys',
  'a follower served readers', 'a learner was held back',
  'a person had a partition recovered', 'a person gave up committed records', 'dead members left an empty group',
  'a broker came back under another address', 'an address that nobody has was dialled',
  'an address had another broker before', 'a call reached another cluster',
  'a backup of the API was restored', 'a stream met back-pressure', 'a unary request came twice'
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
