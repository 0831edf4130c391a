// What would move if the cluster had other brokers: the planners that move partitions, asked again and again on rows
// as they would be when every move had ended. Pure; nothing is begun.
import type { BrokerInfo, PartitionRow, PlanBrokersResponse } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import { planBalance } from './balance.ts'
import { drainWaitsFor, planDrains, rowsOf, type Assignment, type Scene } from './drain.ts'
import { targetOf } from './moves.ts'

export class Foresight {
  readonly #before: Scene
  readonly #brokers: readonly BrokerInfo[]
  /** By topic and partition, as they would be by now. */
  readonly #rows = new Map<string, PartitionRow>()
  /** Planners end by themselves; this ends a faulty one. */
  #stepsLeft: number

  /** @param brokerIds all that there shall be */
  constructor (scene: Scene, brokerIds: readonly number[]) {
    this.#before = scene
    const known = new Map(scene.brokers.map(broker => [broker.brokerId, broker]))
    const ids = [...new Set([...known.keys(), ...brokerIds])].sort((a, b) => a - b)
    this.#brokers = ids.map(id => ({ ...known.get(id) ?? newcomer(id), draining: !brokerIds.includes(id) }))
    for (const row of scene.rows) this.#rows.set(keyOf(row), settled(row, targetOf(row)))
    this.#stepsLeft = scene.rows.length * limits.replicasMax + 1
  }

  /** Some moves further; false when there is nothing left to move. */
  step (): boolean {
    const scene = this.#scene()
    const drains = planDrains(scene)
    const staying = scene.brokers.filter(broker => !broker.draining)
    const plans: readonly Assignment[] = drains.length > 0 || staying.length === 0
      ? drains
      : planBalance(scene.rows, staying, limits.balanceMovesMax)
    for (const { row, target } of plans) this.#rows.set(keyOf(row), settled(row, target))
    return plans.length > 0 && --this.#stepsLeft > 0
  }

  outcome (): Pick<PlanBrokersResponse, 'moves' | 'drains'> {
    const scene = this.#scene()
    const moves = this.#before.rows.flatMap(row => {
      const [before, after] = [targetOf(row), this.#rows.get(keyOf(row))!.replicas]
      const adding = after.filter(id => !before.includes(id))
      if (adding.length === 0) return []
      return [{
        topic: scene.nameOf(row.topicId),
        topicId: row.topicId,
        partition: row.partition,
        replicas: [...after],
        adding,
        removing: before.filter(id => !after.includes(id)),
        bytesLeft: -1,
        waitingFor: ''
      }]
    })
    const drains = scene.brokers.filter(broker => broker.draining).map(({ brokerId }) => ({
      brokerId,
      replicasLeft: rowsOf(brokerId, scene.rows).length,
      dataLeft: 0,
      waitingFor: drainWaitsFor(brokerId, scene)
    }))
    return { moves, drains }
  }

  #scene (): Scene {
    const known = new Set(this.#before.brokers.map(broker => broker.brokerId))
    return {
      ...this.#before,
      rows: [...this.#rows.values()],
      brokers: this.#brokers,
      isServing: id => !known.has(id) || this.#before.isServing(id)
    }
  }
}

function keyOf ({ topicId, partition }: PartitionRow): string {
  return `${topicId}/${partition}`
}

/** The row when its move has ended. Members that left the target are taken for gone, new ones for in sync. */
function settled (row: PartitionRow, target: readonly number[]): PartitionRow {
  return {
    ...row,
    replicas: [...target],
    adding: [],
    removing: [],
    inSync: row.inSync.filter(member => target.includes(member.brokerId))
  }
}

/** Empty, and in no rack that is known before it is there. */
function newcomer (brokerId: number): BrokerInfo {
  return {
    brokerId,
    volumeId: '',
    brokerEpoch: 0,
    incarnation: '',
    fenced: false,
    stopping: false,
    clientAddress: '',
    peerAddress: '',
    rack: '',
    draining: false,
    listeners: [],
    maintenance: false
  }
}
