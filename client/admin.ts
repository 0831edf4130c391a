// Questions about topics, brokers and offsets. Topics are made and deleted as Kubernetes objects.
import type {
  CommittedOffset, DescribeGroupResponse, GetMetadataResponse, GroupSummary, TopicMetadata
} from '../wire/messages.ts'
import { WireError } from '../wire/errors.ts'
import type { CallOptions } from './call-options.ts'
import { errorOf, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { callTimeoutMs, operationTimeoutMs } from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import { unknownTopic } from './metadata.ts'
import { GROUPS_TOPIC, Offsets } from './offsets.ts'
import type { ListedOffset, OffsetQuery, PartitionOffset } from './offsets.ts'
import { retry, throwIfError } from './waiting.ts'

/** Asks brokers about the cluster. Made by `client.admin()`. */
export class Admin {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #offsets: Offsets

  /** Made by Millrace.admin(). */
  constructor (ports: ClientPorts, metadata: Metadata) {
    this.#ports = ports
    this.#metadata = metadata
    this.#offsets = new Offsets(ports, metadata)
  }

  /** Brokers, controller and topics as one broker knows them. */
  metadata (topics: readonly string[],
    options: CallOptions & { readonly internal?: boolean } = {}): Promise<GetMetadataResponse> {
    const { timeoutMs = operationTimeoutMs, signal, internal = topics.length > 0 } = options
    return retry({ ...this.#ports, timeoutMs, signal, what: 'metadata' }, async () => {
      try {
        const response = await this.#metadata.ask(topics, internal)
        throwIfError(response.error)
        return response
      } catch (error) {
        this.#ports.onWaiting(`a broker (${error instanceof WireError ? error.message : String(error)})`)
        throw error
      }
    })
  }

  /** Every topic, by name; those of the system (__...) only when asked for. */
  async listTopics (options: CallOptions & { readonly internal?: boolean } = {}): Promise<TopicMetadata[]> {
    const { topics } = await this.metadata([], options)
    return topics.filter(each => each.topic !== undefined && each.error === undefined)
      .sort((a, b) => a.topic!.name < b.topic!.name ? -1 : 1)
  }

  /** @throws MillraceError UNKNOWN_TOPIC. */
  async describeTopic (topic: string, options: CallOptions = {}): Promise<TopicMetadata> {
    const { topics } = await this.metadata([topic], options)
    const found = topics.find(each => each.topic?.name === topic && each.error === undefined)
    if (found === undefined) throw unknownTopic(topic)
    return found
  }

  /** Offsets of the topics' partitions. A partition without a leader is waited for. */
  listOffsets (queries: readonly OffsetQuery[], options: CallOptions = {}): Promise<ListedOffset[]> {
    const topics = [...new Set(queries.map(query => query.topic))]
    const { timeoutMs = operationTimeoutMs, signal } = options
    return this.#tracking(topics, async () => {
      for (const topic of topics) await this.#metadata.waitForTopic(topic, timeoutMs, signal)
      return this.#offsets.list(queries, { timeoutMs, signal })
    })
  }

  /** The same, asked once: an error stands where there is no answer now. */
  peekOffsets (queries: readonly OffsetQuery[], options: CallOptions = {}): Promise<(ListedOffset | MillraceError)[]> {
    const { timeoutMs = operationTimeoutMs, signal } = options
    const topics = [...new Set(queries.map(query => query.topic))]
    return this.#tracking(topics, async () => {
      for (const topic of topics) await this.#metadata.waitForTopic(topic, timeoutMs, signal)
      const answers = await this.#offsets.listOnce(queries)
      return answers.map((answer, index) =>
        answer instanceof WireError ? toMillraceError(answer, queries[index]) : answer)
    })
  }

  /** What a group has committed, by topic and partition. */
  committedOffsets (group: string, options: CallOptions = {}): Promise<CommittedOffset[]> {
    const { timeoutMs = operationTimeoutMs, signal } = options
    return this.#tracking([GROUPS_TOPIC], () => this.#offsets.committed(group, 'all', { timeoutMs, signal }))
  }

  /** Commits for a group that nobody reads for now. */
  commitOffsets (group: string, offsets: readonly PartitionOffset[], options: CallOptions = {}): Promise<void> {
    if (group === '') return Promise.reject(errorOf('INVALID_REQUEST', 'a group has a name'))
    const { timeoutMs = operationTimeoutMs, signal } = options
    return this.#tracking([GROUPS_TOPIC], async () => {
      await this.#offsets.commit(group, offsets, { timeoutMs, signal })
    })
  }

  /** Every group that the cluster knows, by name. */
  listGroups (options: CallOptions = {}): Promise<GroupSummary[]> {
    const { timeoutMs = operationTimeoutMs, signal } = options
    return retry({ ...this.#ports, timeoutMs, signal, what: 'groups' }, async () => {
      try {
        // Each group is known to its coordinator alone.
        const { brokers } = await this.#metadata.ask([GROUPS_TOPIC], true)
        const answers = await Promise.all(brokers.filter(({ fenced }) => !fenced).map(async ({ clientAddress }) => {
          const response = await this.#ports.net.call(clientAddress, 'ListGroups', {}, callTimeoutMs)
          throwIfError(response.error)
          return response.groups
        }))
        return answers.flat().sort((a, b) => a.group < b.group ? -1 : 1)
      } catch (error) {
        this.#ports.onWaiting(`the coordinators of groups (${error instanceof Error ? error.message : String(error)})`)
        throw error
      }
    })
  }

  /** @throws MillraceError UNKNOWN_GROUP. */
  describeGroup (group: string, options: CallOptions = {}): Promise<DescribeGroupResponse> {
    const { timeoutMs = operationTimeoutMs, signal } = options
    return this.#tracking([GROUPS_TOPIC], () =>
      this.#offsets.coordinated(group, { timeoutMs, signal }, async address => {
        const response = await this.#ports.net.call(address, 'DescribeGroup', { group }, callTimeoutMs)
        throwIfError(response.error)
        return response
      }))
  }

  /** Forgets a group without members, with its offsets. @throws MillraceError UNKNOWN_GROUP, GROUP_NOT_EMPTY. */
  deleteGroup (group: string, options: CallOptions = {}): Promise<void> {
    const { timeoutMs = operationTimeoutMs, signal } = options
    return this.#tracking([GROUPS_TOPIC], () =>
      this.#offsets.coordinated(group, { timeoutMs, signal }, async address => {
        throwIfError((await this.#ports.net.call(address, 'DeleteGroup', { group }, callTimeoutMs)).error)
      }))
  }

  async #tracking<T> (topics: readonly string[], run: () => Promise<T>): Promise<T> {
    for (const topic of topics) this.#metadata.track(topic)
    try {
      return await run()
    } finally {
      for (const topic of topics) this.#metadata.untrack(topic)
    }
  }
}
