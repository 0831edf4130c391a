// DrainBrokers, MaintainBrokers, PlanBrokers, RemoveBroker: brokers that are to be emptied, that may be away, what
// would move, and brokers that are to be forgotten.
import { WireError } from '../../wire/errors.ts'
import type {
  BrokerDrain, DrainBrokersRequest, DrainBrokersResponse, MaintainBrokersRequest, MaintainBrokersResponse,
  PlanBrokersRequest, PlanBrokersResponse,
  RemoveBrokerRequest, RemoveBrokerResponse, Sent
} from '../../wire/messages.ts'
import type { Clock } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import { drainWaitsFor, rowsOf } from './drain.ts'
import type { Scene } from './drain.ts'
import { Foresight } from './foresight.ts'
import type { Removals } from './removals.ts'
import type { Roster } from './roster.ts'
import { submit } from './tables.ts'
import type { Tables } from './tables.ts'

export interface BrokerDeskOptions {
  readonly clock: Clock
  readonly roster: Roster
  readonly tables: Tables
  readonly removals: Removals
  scene (): Scene
  /** Which brokers are to be emptied has changed. */
  drainsChanged (): void
}

export class BrokerDesk {
  readonly #options: BrokerDeskOptions

  constructor (options: BrokerDeskOptions) {
    this.#options = options
  }

  /** Brokers that the cluster does not know hold nothing: they are left out of the answer. */
  async drain ({ brokerIds }: DrainBrokersRequest): Promise<Sent<DrainBrokersResponse>> {
    requireFew(brokerIds)
    const { tables, drainsChanged } = this.#options
    let changed = false
    await submit(tables.root, draft => {
      for (const broker of draft.brokers.values()) {
        const draining = brokerIds.includes(broker.brokerId)
        if (broker.draining === draining) continue
        draft.setBroker({ ...broker, draining })
        changed = true
      }
    })
    if (changed) drainsChanged()
    return { drains: this.drains() }
  }

  /** Answers what those that the cluster knows still lead. */
  async maintain ({ brokerIds }: MaintainBrokersRequest): Promise<Sent<MaintainBrokersResponse>> {
    requireFew(brokerIds)
    const { tables } = this.#options
    await submit(tables.root, draft => {
      for (const broker of draft.brokers.values()) {
        const maintenance = brokerIds.includes(broker.brokerId)
        if (broker.maintenance !== maintenance) draft.setBroker({ ...broker, maintenance })
      }
    })
    const rows = [...tables.rows()]
    return {
      brokers: [...tables.brokers().values()].filter(({ maintenance }) => maintenance)
        .map(({ brokerId }) => ({ brokerId, leading: rows.filter(({ leader }) => leader === brokerId).length }))
        .sort((a, b) => a.brokerId - b.brokerId)
    }
  }

  /** A few moves at a time, with others served between: thousands of partitions take a while to be thought over. */
  async plan ({ brokerIds }: PlanBrokersRequest): Promise<Sent<PlanBrokersResponse>> {
    requireFew(brokerIds)
    const { clock, scene } = this.#options
    const foresight = new Foresight(scene(), brokerIds)
    while (foresight.step()) await new Promise<void>(resolve => { clock.defer(resolve) })
    return foresight.outcome()
  }

  /** In order of broker id. */
  drains (): Sent<BrokerDrain>[] {
    const scene = this.#options.scene()
    return scene.brokers.filter(broker => broker.draining).map(({ brokerId }) => ({
      brokerId,
      replicasLeft: rowsOf(brokerId, [...this.#options.tables.rows()]).length,
      dataLeft: this.#options.removals.dataLeft(brokerId),
      waitingFor: drainWaitsFor(brokerId, scene)
    }))
  }

  /** Answers when the cluster has forgotten the broker. */
  async remove ({ brokerId }: RemoveBrokerRequest): Promise<Sent<RemoveBrokerResponse>> {
    const { tables, roster } = this.#options
    this.#requireUnused(brokerId)
    // Nobody places anything on it from here on ...
    await submit(tables.root, draft => {
      const broker = draft.brokers.get(brokerId)
      if (broker?.draining === false) draft.setBroker({ ...broker, draining: true })
    })
    // ... and what was decided before is stored.
    await Promise.all([...tables.shelves()].map(shelf => submit(shelf, () => {})))
    await submit(tables.root, draft => {
      this.#requireUnused(brokerId)
      draft.removeBroker(brokerId)
    })
    roster.forget(brokerId)
    return {}
  }

  #requireUnused (brokerId: number): void {
    const { tables, roster } = this.#options
    const broker = tables.brokers().get(brokerId)
    if (broker === undefined) throw new WireError('UNKNOWN_BROKER', `there is no broker ${brokerId}`)
    if (roster.session(brokerId) !== undefined || !broker.fenced) {
      throw new WireError('BROKER_IN_USE', `broker ${brokerId} runs, or is not known to be gone yet`)
    }
    const left = rowsOf(brokerId, [...tables.rows()]).length
    if (left > 0) throw new WireError('BROKER_IN_USE', `${left} partitions name broker ${brokerId}: drain it first`)
  }
}

function requireFew (brokerIds: readonly number[]): void {
  if (brokerIds.length <= limits.brokersMax) return
  throw new WireError('INVALID_REQUEST', `a cluster has ${limits.brokersMax} brokers at most`)
}
