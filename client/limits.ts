// Every limit and default of the client, with its unit and its reason.

const KiB = 1024
const MiB = 1024 * KiB

// Connections and metadata
export const bootstrapAddressesMax = 64
/** One question for metadata. */
export const metadataTimeoutMs = 3_000
/** A broker that has not answered after this is not waited for: the next one is asked as well. */
export const metadataHedgeMs = 250
/** Metadata is asked for again after this even when nothing failed: new partitions, moved leaders. */
export const metadataAgeMsMax = 30_000
/** Longest pause between questions while a leader is looked for: a failover is seen so late at most. */
export const metadataPauseMsMax = 50
/** An unanswered request this old raises doubt about the leader: a broker that hangs breaks nothing. */
export const doubtMs = 500
/** A consumer that is pushed nothing asks this often whether its leaders are still the leaders. */
export const quietMs = 2_000
/** How long brokers may go on saying that a topic does not exist; pushes reach them in milliseconds. */
export const unknownTopicMs = 1_000
/** The same for a topic that was there: longer than a broker takes to notice that it has lost its session. */
export const goneTopicMs = 5_000
/** How long brokers may go on saying that a name is another topic now, unanimously: one of them may lag behind. */
export const anotherTopicMs = 1_000
/** First pause after a failure; doubles up to the next, with jitter. A failover takes under a second. */
export const backoffMs = 20
export const backoffMsMax = 500
/** Longest pause before a broker that refused a producer's connection is dialled again. */
export const channelPauseMsMax = 100
/** A call that answers at once (offsets, commits): one attempt. */
export const callTimeoutMs = 3_000
/** A call with its retries, unless said otherwise. */
export const operationTimeoutMs = 30_000

// Producer
/** From the acceptance of a record to its acknowledgement, retries included (Kafka: delivery.timeout.ms). */
export const deliveryTimeoutMs = 120_000
/** A batch unanswered for so long: its stream is broken and opened anew. */
export const requestTimeoutMs = 30_000
/** Batches on their way per partition; the broker recognises repeats of the last 5 (KIP-98). */
export const inFlightMax = 5
/** Bytes at which a batch is sent without waiting. */
export const batchBytes = 512 * KiB
/** How long a batch waits for more records while others of its partition are on their way. */
export const lingerMs = 5
/** One record in its batch; what topics accept unless set otherwise. */
export const batchBytesMax = 1 * MiB
/** Records in one batch: the broker's answer time and a reader's memory stay in proportion. */
export const recordsPerBatchMax = 100_000
/** Bytes accepted and not yet acknowledged, per producer. */
export const producerBufferedBytesMax = 64 * MiB
/** Bytes of settled batches kept for the next ones, per producer. */
export const poolBytesMax = 16 * MiB
/** Calls of send that wait for room or metadata, per producer; each holds a record and a promise. */
export const sendsWaitingMax = 65_536
/** A partition quiet for so long may be forgotten by brokers (they keep a producer for a day). */
export const producerIdleMsMax = 3_600_000
/** Producer epochs are int16 in a record batch. */
export const producerEpochMax = 32_767
/** How often deadlines of the producer are looked at. */
export const producerTickMs = 100

// Consumer
/** Bytes that a broker may send ahead per partition; also the largest single batch that is waited for. */
export const prefetchBytes = 1 * MiB
/** Bytes received and not yet handed out, per consumer. */
export const consumerBufferedBytesMax = 64 * MiB
/** A follower that failed a reader is not read from again for so long: the leader serves meanwhile. */
export const nearRetryMs = 10_000
/** What one compressed batch may open to: bounds what a few bytes can make of a reader's memory. */
export const decompressedBytesMax = 64 * MiB
/** Records of a partition that a run has before it, at least; twice its concurrency if that is more. */
export const runAheadMin = 32
export const autoCommitMs = 1_000
/** Times that broken bytes are fetched again before the consumer gives up. */
export const corruptFetchesMax = 3
/** A member of a group that says nothing for so long is taken for dead (Kafka: session.timeout.ms). */
export const sessionTimeoutMs = 10_000
/** A member that asks for no record for so long gives its partitions up (Kafka: max.poll.interval.ms). */
export const maxPollIntervalMs = 300_000
/** How long a static member may be away. */
export const instanceGraceMs = 60_000
/** A coordinator that owes an answer for so long is not waited for: another one may be in office. */
export const silentCoordinatorMs = 1_000
/** How long the coordinator's word on a leave is waited for. */
export const leaveTimeoutMs = 1_000
/** How often a member looks whether its records are asked for. */
export const pollCheckMs = 200
/** The last commit of a partition that is given away; then the next member repeats what was not committed. */
export const revokeCommitMs = 5_000
export const partitionsAssignedMax = 10_000
export const offsetsPerRequestMax = 1_000

// Queue groups
/** Records that a member has in hand, handed out or not; with a run, twice its concurrency. */
export const queueInFlight = 16
/** The most that a coordinator lets one member have. */
export const queueInFlightMax = 2_000
/** A lease that is not renewed for so long is over; it is renewed three times in it. */
export const queueLeaseMs = 30_000
/** A record that was handed out and not settled for so long is given back. */
export const queueProcessingMs = 300_000
/** Deliveries of one record, where there is a dead-letter topic. */
export const queueDeliveriesMax = 5
/** How long a record whose handler failed is held back the first time; doubles up to the next. */
export const queueRetryMs = 1_000
export const queueRetryMsMax = 60_000
/** A record that waits for so long in a member that is busy goes back: another one may have time for it. */
export const queueWaitMs = 1_000
/** Bytes that a broker may send ahead per partition: others may be given what lies there. */
export const queuePrefetchBytes = 128 * KiB
/** Records of a partition that were found, and may be granted soon. */
export const queueFoundMax = 1_000
/** A dead letter that is not written within this is tried again by whoever has it next. */
export const queueBurialMs = 10_000
/** An offset that is not there yet (a leader that is behind) is asked for again after this. */
export const queueAheadRetryMs = 1_000
/** Leases with records that were handed out and lost: more than a member has at a time, many times over. */
export const queueLeasesLostMax = 1_000
