// Everything that changes where partitions are while the cluster runs: what people ask for, and what the
// controller does by itself.
import type {
  DescribeClusterResponse, DrainBrokersRequest, DrainBrokersResponse, ElectLeadersRequest, ElectLeadersResponse,
  MaintainBrokersRequest, MaintainBrokersResponse, MovePartitionsRequest, MovePartitionsResponse, PlanBrokersRequest,
  PlanBrokersResponse, RemoveBrokerRequest,
  RemoveBrokerResponse, Sent, SessionRequest_LearnerProgress
} from '../../wire/messages.ts'
import { BrokerDesk } from './broker-desk.ts'
import type { MoveOffice } from './contract.ts'
import { MoveDesk } from './move-desk.ts'
import type { MoveDeskOptions } from './move-desk.ts'
import { Mover } from './mover.ts'
import type { MoverOptions } from './mover.ts'
import { ProgressBook } from './progress.ts'
import type { Removals } from './removals.ts'

export class Moving implements MoveOffice {
  readonly #progress: ProgressBook
  readonly #desk: MoveDesk
  readonly #brokers: BrokerDesk
  readonly #mover: Mover

  constructor (options: Omit<MoveDeskOptions, 'progress'> & MoverOptions & { removals: Removals }) {
    this.#progress = new ProgressBook(options.clock)
    this.#desk = new MoveDesk({ ...options, progress: this.#progress })
    this.#mover = new Mover(options)
    this.#brokers = new BrokerDesk({
      ...options, scene: () => this.#mover.scene(), drainsChanged: () => { this.#mover.look() }
    })
  }

  movePartitions (request: MovePartitionsRequest): Promise<Sent<MovePartitionsResponse>> {
    return this.#desk.move(request)
  }

  electLeaders (request: ElectLeadersRequest): Promise<Sent<ElectLeadersResponse>> {
    return this.#desk.elect(request)
  }

  drainBrokers (request: DrainBrokersRequest): Promise<Sent<DrainBrokersResponse>> {
    return this.#brokers.drain(request)
  }

  planBrokers (request: PlanBrokersRequest): Promise<Sent<PlanBrokersResponse>> {
    return this.#brokers.plan(request)
  }

  maintainBrokers (request: MaintainBrokersRequest): Promise<Sent<MaintainBrokersResponse>> {
    return this.#brokers.maintain(request)
  }

  removeBroker (request: RemoveBrokerRequest): Promise<Sent<RemoveBrokerResponse>> {
    return this.#brokers.remove(request)
  }

  /** @param names of topics, every topic when empty */
  describe (names: readonly string[]): Pick<Sent<DescribeClusterResponse>, 'moves' | 'drains'> {
    return { moves: this.#desk.moves(names), drains: this.#brokers.drains() }
  }

  progress (leader: number, learners: readonly SessionRequest_LearnerProgress[]): void {
    this.#progress.note(leader, learners)
  }

  /** Called regularly. */
  look (): void { this.#mover.look() }
}
