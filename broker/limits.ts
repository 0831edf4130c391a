// Every limit of the broker, with its unit and its reason. Nothing in a broker is unbounded.

const KiB = 1024
const MiB = 1024 * KiB

// Records
/** A record batch as produced; bounds one message and one journal frame's smallest unit. */
export const batchBytesMax = 8 * MiB
/** What a topic accepts unless set otherwise; as Kafka's max.message.bytes. */
export const batchBytesDefault = 1 * MiB
/** How far a record's timestamp may lie ahead of the broker, else retention by age would never end. */
export const timestampAheadMsMax = 24 * 3600 * 1000

/** As many of the smallest records as fit the default batch; bounds what a compressed batch may claim. */
export const recordsPerBatchMax = 150_000

// Topics
export const topicNameLengthMax = 249
/** Kubernetes objects and pushes stay small: one table holds at most 256 KiB. */
export const partitionsPerTopicMax = 2_000
export const replicasMax = 7
/** Identities that a person declared lost, per partition; the oldest go first. A row's list holds no more. */
export const barredMax = 2 * replicasMax
/** A week, as Kafka. */
export const retentionMsDefault = 7 * 24 * 3600 * 1000
/** Committed offsets are small and often rewritten: short segments let old ones go early. */
export const groupsSegmentBytes = 16 * MiB
export const tableBytesMax = 256 * KiB

// Wire
/** One gRPC message: the largest batch and its envelope. */
export const messageBytesMax = batchBytesMax + 64 * KiB
export const streamsPerConnectionMax = 128
export const connectionsMax = 2_000
/** Records sent in one FetchResponse or Replicate Records: large enough to be cheap, small enough to share. */
export const fetchBytesPerMessageMax = 1 * MiB
export const subscriptionsPerStreamMax = 10_000
/** What a consumer may ask to have in flight for one subscription. */
export const fetchCreditBytesMax = 64 * MiB

// Partition
/** Batches that wait for their commit, per partition; a producer beyond it gets BROKER_BUSY. */
export const appendsPendingPerPartitionMax = 4_096
/** Bytes appended and not yet committed, all partitions of a broker. */
export const appendBytesPendingMax = 256 * MiB
/** Bytes of one Produce stream that wait for their commit; beyond it the stream is not read. */
export const producePendingBytesPerStreamMax = 32 * MiB
/** The same, in batches: refusals wait for their turn too. */
export const producePendingPerStreamMax = 8_192
/** Reads for one Fetch stream that run at once; each may bring fetchBytesPerMessageMax. */
export const fetchReadsPerStreamMax = 8
/** Cold reads (catch-up consumers and followers) that run at once: they must not crowd out the tail. */
export const coldReadsMax = 4
/** Memory for recent batches, for readers of the tail, per broker. */
export const ringBytesMax = 64 * MiB
/** The last batches of a producer id that a repeat is recognised by (KIP-98: 5). */
export const producerBatchesMax = 5
/** Producer ids remembered per partition; the least recently used goes first. */
export const producersPerPartitionMax = 10_000
/** A producer id that was silent for so long is forgotten. */
export const producerExpiryMs = 24 * 3600 * 1000

// Journal and segments
export const journalFileBytes = 64 * MiB
/** One group commit; bounds the memory of a frame and the time of a write. */
export const frameBytesMax = 16 * MiB
/** Bytes that wait for the journal; beyond it appends get BROKER_BUSY. */
export const journalQueueBytesMax = 64 * MiB
export const segmentBytesDefault = 1024 * MiB
export const segmentBytesMin = 1 * MiB
export const segmentAgeMsMax = 7 * 24 * 3600 * 1000
/** Below such a share of free space, or twice the reserve, what retention may remove goes sooner. */
export const lowSpaceShare = 0.1
/** Segments of topics with a retention are then so many times smaller: at most so much stays beyond its time. */
export const lowSpaceSegmentsPerSegment = 16
export const indexIntervalBytes = 4 * KiB
export const coldReadBytesMax = 1 * MiB

// Replication and sessions (replication.md)
export const heartbeatMs = 200
/** A session without a heartbeat for so long is dead: a silent broker fails over in under 3 s. */
export const sessionTimeoutMs = 2_000
/** A connection that breaks again and again counts as lost after this; one that is refused at once. */
export const controllerLostMs = 200
export const replicaLagMs = 10_000
/** A member that cannot reach its leader leaves the in-sync set this long after the controller was told so. */
export const cutOffMs = 500
/** A broker that does not answer another one's ping for so long is gone, however open the connection seems. */
export const peerKeepaliveMs = 1_500
/** Sent to a follower and not yet durable there, per partition; bounds the follower's memory. */
export const replicateInFlightBytesMax = 8 * MiB
/** The same for all partitions of a stream. */
export const replicateInFlightBytesPerStreamMax = 64 * MiB
/** What a broker sends to replicas that are not in sync yet, all of them together: half a 1 Gbit/s link. */
export const learnerBytesPerSecondDefault = 64 * MiB
/** A learner with less than this to get is not held back: its leader is about to wait for it. */
export const learnerNearBytes = 4 * MiB
/** Listeners of a Cluster beside the client port; as operator/schema/listeners.ts. */
export const listenersMax = 5
/** How often a broker looks whether its ConfigMap has changed; the kubelet itself takes up to a minute. */
export const configLookMs = 2_000
/** Learners told of in one Progress, the others in the next. */
export const learnersPerReportMax = 1_000
/** How often leaders tell the controller how far learners are. */
export const progressMs = 1_000
/** A lost Replicate stream is opened again after 10 ms, doubling up to this: a restarted leader waits. */
export const replicateRetryMsMax = 100
/** A subscription that the leader refused is tried again after this, unless a row comes first. */
export const subscribeRetryMs = 50
/** An in-sync change that no row has ended is asked for again after this, then after twice as long ... */
export const inSyncRetryMs = 1_000
/** ... and so on up to this: during an outage of the Kubernetes API thousands of leaders ask. */
export const inSyncRetryMsMax = 8_000
/** A replica to be added that was silent for so long, with records under way, is not caught up any more. */
export const learnerSilentMs = 1_000
/** A leader without streams from minInSync members for so long may lose the leadership. */
export const starvedMs = 3_000
/** A replica that was damaged, made anew and damaged again is not made anew before this: its disk is to blame. */
export const renewAgainMs = 10 * 60_000
/** Data that no row names is moved to stray/ after this, should a late row still name it. */
export const strayAfterMs = 10 * 60_000
/** How long an election waits for the answers of the in-sync members. */
export const electionAnswerMs = 200
export const brokersMax = 100
/** Openings that a volume remembers: by them a copy of an older state is told from the volume itself. */
export const bootsKept = 100
/** The controller looks at its Lease so often: another holder ends its office. */
export const leaseCheckMs = 5_000
/** A controller with the sessions of fewer than half of the unfenced brokers for so long gives up. */
export const controllerMinorityMs = 3_000
/** How long peers are asked whether they have lost the controller too. */
export const askControllerMs = 100
/** A peer that does not answer agrees that the controller is lost after this, doubled by each own takeover. */
export const silentPeerAgreesMs = 10_000
/** Another volume may take a broker id so long after the registered one's session ended. */
export const duplicateBrokerMs = 3_000
/** A broker whose oldest fsync is older, or whose disk is full for longer, leads nothing and leaves in-sync sets. */
export const fsyncAgeMsMax = 2_000
/** A leadership is taken from a struggling leader once in so long. */
export const leadershipMoveMs = 30_000
/** A preferred leader gets its partition back this long after it has become able to lead. */
export const preferredLeaderMs = 5_000
/** Leaderships returned to preferred leaders at once: a few, so that clients feel nothing. */
export const preferredLeadersPerMove = 64
/** A broker that is to stop waits for so long until its controller lets it. */
export const stopMsMax = 3_000
/** Leaderships that leave a broker that stops, at its first step: those who take part may have never done it. */
export const leadershipsFirst = 8
/** At each step after it; more when they would need more than leadershipStepsMax. */
export const leadershipsPerStep = 25
/** The first partitions of a step serve again about then. */
export const leadershipStepMs = 50
/** With leadershipStepMs a second: less than a broker waits before it stops anyway. */
export const leadershipStepsMax = 20
/** In-sync sets that a broker that stops leaves at each step, when it leads nothing more; more likewise. */
export const departuresPerStep = 50
/** Half a second more. */
export const departureStepsMax = 10
/** Rows in one Push and partitions in one AskEnds: a message stays far below messageBytesMax. */
export const rowsPerPushMax = 5_000
/** Decisions that wait for one table; requests beyond it get BROKER_BUSY. */
export const tableOpsPendingMax = 20_000

// Moving partitions
/** Partitions in one MovePartitions or ElectLeaders. */
export const partitionsPerRequestMax = 10_000
/** Replicas that one broker gets at once when the controller moves partitions by itself. */
export const movesPerBrokerMax = 10
/** Partitions that are moved at once to even out the brokers: more are begun when these are through. */
export const balanceMovesMax = 10
/** Everything must have been well for so long before partitions are moved to even out the brokers. */
export const balanceAfterMs = 10_000
/** How long ElectLeaders tries before it says who leads instead. */
export const electLeadersMs = 3_000
/** What leaders said about learners is forgotten after this: it is repeated every second or few. */
export const progressExpiryMs = 30_000
/** Learners whose progress is remembered. */
export const learnersRememberedMax = 20_000

// Racks
/** Characters; a PartitionTable holds no longer ones, and values of labels have 63, names of nodes 253. */
export const rackLengthMax = 253

// Groups
export const groupIdLengthMax = 255
export const groupsPerPartitionMax = 10_000
export const offsetMetadataBytesMax = 4 * KiB
export const offsetsPerRequestMax = 10_000
/** Members of one group: each is a few hundred bytes of the coordinator's log and memory. */
export const membersPerGroupMax = 2_000
/** Partitions that one group reads, all topics together: one change must be planned in milliseconds. */
export const partitionsPerGroupMax = 20_000
export const topicsPerMemberMax = 1_000
/** A member's session timeout, as it may choose it. */
export const memberSessionTimeoutMsMin = 500
export const memberSessionTimeoutMsMax = 30 * 60_000
/** A static member may be away for so long at most. */
export const instanceGraceMsMax = 24 * 3600 * 1000
/** A member whose stream broke is waited for so long: a new connection takes milliseconds. */
export const memberGraceMs = 3_000
/** Changes of members are planned together, so often at most: a storm of joins collapses. */
export const groupPlanEveryMs = 500
/** A change waits so long for others, longer while they keep coming. */
export const groupPlanDelayMs = 50
/** One record of the group log; a larger change is made in several. */
export const groupChangeBytesMax = 256 * KiB
/** A group without members, or that nobody commits for, is forgotten after a week, as Kafka does. */
export const groupExpiryMsDefault = 7 * 24 * 3600 * 1000
/** Shorter ones would forget groups that are being restarted. */
export const groupExpiryMsMin = 60_000
/** Offsets of a topic that is gone for so long are forgotten; what is away for a moment comes back. */
export const goneTopicMs = 10 * 60_000
/** Records of one partition that a queue group has found and not finished: they are the coordinator's memory. */
export const queueUnfinishedMax = 2_000
/** Records told of in one answer to a scan. */
export const queueFoundMax = 500
/** Records that one member of a queue group has, at most. */
export const queueInFlightMax = 2_000
/** A lease, as a member may choose it: renewals come three times in it. */
export const queueLeaseMsMin = 1_000
export const queueLeaseMsMax = 3_600_000
export const queueDeliveriesMax = 1_000
/** How long a released record may be held back. */
export const queueDelayMsMax = 3_600_000
/** Characters of a reason that are kept: it lies in the log of groups and in a header. */
export const queueReasonLengthMax = 256
/** Records that are written to the dead-letter topic at once, per partition. */
export const queueBurialsMax = 16
/** A record that the dead-letter topic did not take is tried again after this. */
export const queueBurialRetryMs = 5_000
/** Ends of partitions are asked for so often, for the lag of groups. */
export const groupLagMs = 5_000
/** Time series of lag that one broker shows: one for each group and topic. */
export const groupLagSeriesMax = 5_000
/** Topics that one broker shows metrics of, four time series each; those beyond it count in the totals alone. */
export const topicSeriesMax = 1_000
