// The classes of anomaly: those of Jepsen's Kafka workload (jepsen.tests.kafka) without transactions,
// and ours. `in` marks those inside one batch or one poll.

export const anomalyKinds = {
  'inconsistent offsets': 'one offset of a partition was seen with two values',
  duplicate: 'one value was seen at two places',
  'lost write': 'an acknowledged value was never read, though a later offset was',
  unseen: 'an acknowledged value could not be read after everything was drained',
  'aborted read': 'a value was read whose send had definitely failed',
  'unexpected read': 'a value was read that nobody sent',
  'poll skip': 'a consumer passed over offsets that exist',
  'poll skip in batch': 'one poll passed over offsets that exist',
  'non-monotonic poll': 'a consumer went back without being told to',
  'non-monotonic poll in batch': 'one poll went back',
  'non-monotonic send': 'records of one producer landed in another order than they were sent in',
  'non-monotonic send in batch': 'records of one batch landed in another order',
  'fallen end': 'a consumer was told of an end below one that it had been told of',
  'lost commit': 'a group\'s position was older than a commit acknowledged before the question',
  'unexpected commit': 'a group\'s position was one that nobody committed',
  'group skip': 'a member began beyond what its group had finished',
  'group commit lost': 'a member that could commit had begun before a commit of the members before it',
  'two owners': 'a member\'s commit counted after another\'s of more',
  'diverged replicas': 'the committed prefixes of two replicas differ',
  'stuck write': 'no write succeeded within the bound after healing',
  'stuck read': 'an acknowledged value was not read within the bound after healing'
} as const satisfies Record<string, string>

/** Of queue groups. */
export const queueAnomalyKinds = {
  'delivered when done': 'a record of a queue group was delivered again after it was acknowledged or rejected',
  'delivery miscounted': 'two deliveries of a record were told as one and the same, or one was above the maximum',
  'two leases': 'a record was with two workers at once, and nothing had happened to the first one',
  'stale settlement': 'what a worker said of a record counted, though the record was another\'s',
  'key disorder': 'a record was delivered before one of its key that comes before it was finished',
  'lost record': 'nobody has finished a record of a queue group, and it is not among the dead letters',
  'unfounded dead letter': 'a dead letter that nobody rejected, and that was not delivered as often as it may'
} as const satisfies Record<string, string>

export type AnomalyKind = keyof typeof anomalyKinds | keyof typeof queueAnomalyKinds

export interface Anomaly {
  readonly kind: AnomalyKind
  /** The partition, or 'group/partition'. */
  readonly key: string
  /** What was seen, for people. */
  readonly message: string
}
