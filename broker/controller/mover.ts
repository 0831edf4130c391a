// Moves that the controller begins by itself: off brokers that are drained, then onto brokers that hold less
// than their share. Looks regularly at how things are; what it begins is in the rows.
import { WireError } from '../../wire/errors.ts'
import type { PartitionRow } from '../../wire/messages.ts'
import type { Clock } from '../../wire/ports.ts'
import type { Log } from '../io/ports.ts'
import * as limits from '../limits.ts'
import { planBalance } from './balance.ts'
import { planDrains, rowsOf } from './drain.ts'
import type { Assignment, Scene } from './drain.ts'
import { isMoving, retarget } from './moves.ts'
import type { Roster } from './roster.ts'
import type { TableDraft } from './table.ts'
import { submit } from './tables.ts'
import type { Tables } from './tables.ts'

export interface MoverOptions {
  readonly clock: Clock
  readonly log: Log
  readonly roster: Roster
  readonly tables: Tables
  isFrozen (table: string): boolean
}

export class Mover {
  readonly #options: MoverOptions
  /** Since when nothing has been wrong; undefined while something is. */
  #wellSince: number | undefined
  #working = false

  constructor (options: MoverOptions) {
    this.#options = options
  }

  scene (): Scene {
    const { roster, tables, isFrozen } = this.#options
    const rows: PartitionRow[] = []
    const names = new Map<string, string>()
    for (const table of tables.all()) {
      for (const topic of table.topics.values()) {
        names.set(topic.topicId, topic.name)
        if (!topic.deleting && !isFrozen(table.name)) rows.push(...table.rows.get(topic.topicId) ?? [])
      }
    }
    return {
      rows,
      brokers: [...tables.brokers().values()].sort((a, b) => a.brokerId - b.brokerId),
      facts: roster,
      isServing: brokerId => roster.isServing(brokerId),
      nameOf: topicId => names.get(topicId) ?? topicId
    }
  }

  /** Begins what is to be moved next. Called regularly, and when brokers are to be emptied. */
  look (): void {
    if (this.#working) return
    const { tables } = this.#options
    const scene = this.scene()
    // A move may wait for a leader that can be had by now.
    if (scene.rows.some(isMoving)) tables.kick()
    const drains = planDrains(scene)
    const plans = drains.length > 0 ? drains : this.#balance(scene)
    if (plans.length === 0) return
    this.#working = true
    void this.#begin(plans, drains.length > 0 ? 'brokers are drained' : 'brokers are evened out')
      .finally(() => { this.#working = false })
  }

  #balance (scene: Scene): Assignment[] {
    const { clock } = this.#options
    if (!this.#isWell(scene)) {
      this.#wellSince = undefined
      return []
    }
    this.#wellSince ??= clock.now()
    if (clock.now() - this.#wellSince < limits.balanceAfterMs || scene.rows.some(isMoving)) return []
    const brokers = scene.brokers.filter(broker => !broker.draining)
    return brokers.length === 0 ? [] : planBalance(scene.rows, brokers, limits.balanceMovesMax)
  }

  /** Everybody is here, every set is whole, nothing is on its way out: no time is better for copying. */
  #isWell ({ rows, brokers }: Scene): boolean {
    const { roster, tables, isFrozen } = this.#options
    if (tables.all().some(table => isFrozen(table.name))) return false
    const here = brokers.every(({ brokerId, draining }) =>
      draining ? rowsOf(brokerId, rows).length === 0 : roster.isServing(brokerId))
    return here && rows.every(row => roster.leadership(row) === 'stands' && (isMoving(row) || this.#isWhole(row)))
  }

  #isWhole (row: PartitionRow): boolean {
    const { roster } = this.#options
    return row.replicas.every(id => row.inSync.some(member => member.brokerId === id &&
      roster.member(row.topicId, row.partition, member) === 'live'))
  }

  async #begin (plans: readonly Assignment[], why: string): Promise<void> {
    const { log, tables } = this.#options
    const byShelf = Map.groupBy(plans, plan => tables.shelfOfTopic(plan.row.topicId))
    try {
      await Promise.all([...byShelf].map(async ([shelf, ofShelf]) => {
        if (shelf !== undefined) await submit(shelf, draft => { this.#run(draft, ofShelf) }, true)
      }))
      log.info({ partitions: plans.length }, `partitions are moved: ${why}`)
    } catch (error) {
      // The office is over, or too much waits: the next look begins again.
      if (!(error instanceof WireError)) throw error
      log.debug({ error: error.message }, 'moves have to wait')
    }
  }

  /** A row that has changed since it was looked at is looked at again. */
  #run (draft: TableDraft, plans: readonly Assignment[]): void {
    const { isFrozen, roster } = this.#options
    if (isFrozen(draft.base.name)) return
    for (const { row, target } of plans) {
      if (draft.row(row.topicId, row.partition) !== row) continue
      if (target.some(id => !row.replicas.includes(id) && !roster.isServing(id))) continue
      const next = retarget(row, target, roster)
      if (next !== row && next.replicas.length <= 2 * limits.replicasMax) draft.setRow(next)
    }
  }
}
