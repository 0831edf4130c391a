// What replicas promise, asserted on all of them at once: what is committed stays what it is, and every member of the
// in-sync set has it on its disk; nobody is told of a record before.
import { assert } from '../../../broker/assert.ts'
import { hasIdentity } from '../../../broker/row.ts'
import { decodeRecords } from '../../../wire/batch-reader.ts'
import { batches } from '../../../wire/record-batch.ts'
import type { StoredBatch } from './memory-volume.ts'
import { topicId } from './world.ts'
import type { World } from './world.ts'

const texts = new WeakMap<StoredBatch, readonly string[]>()

/** `value@epoch` of each record. */
function textsOf (batch: StoredBatch): readonly string[] {
  const known = texts.get(batch) ?? [...batches(batch.bytes)].flatMap(header => decodeRecords(batch.bytes, header))
    .map(record => `${new TextDecoder().decode(record.value!)}@${batch.epoch}`)
  texts.set(batch, known)
  return known
}

export class Promises {
  readonly #world: World
  /** By offset; only a learner's lie below the lowest log start. */
  readonly committed: string[] = []
  /** Brokers that promise nothing: their disks were harmed, or the topic is gone for them. */
  readonly excused = new Set<number>()

  constructor (world: World) {
    this.#world = world
  }

  check (): void {
    const { brokers, row } = this.#world
    for (const { id, process } of brokers) {
      const replica = this.#world.replica(id)
      if (process === undefined || replica === undefined || this.excused.has(id)) continue
      assert(replica.damaged === '', `broker ${id} is damaged: ${replica.damaged}`)
      const { highWatermark, log } = replica.state
      assert(highWatermark <= log.logEnd, `broker ${id}: high watermark above the end`)
      this.#checkCommitted(id, process.volume.get(topicId, 0)!.batches, highWatermark)
      this.#checkLeader(id)
    }
    for (const { brokerId, volumeId, replicaGen } of row!.inSync) {
      const { disk } = brokers[brokerId]!
      const gen = disk.images.get(`${topicId}-0`)?.replicaGen ?? replicaGen
      if (disk.volumeId === volumeId && gen === replicaGen && !this.excused.has(brokerId)) this.#checkMember(brokerId)
    }
  }

  #checkCommitted (id: number, stored: readonly StoredBatch[], highWatermark: number): void {
    for (const batch of stored) {
      if (batch.baseOffset >= highWatermark) return
      for (const [index, text] of textsOf(batch).entries()) {
        const known = this.committed[batch.baseOffset + index] ??= text
        assert(known === text, `broker ${id} has ${text} at ${batch.baseOffset + index}, committed was ${known}`)
      }
    }
  }

  /** On its disk, whatever its process knows: a crash must not take it. */
  #checkMember (id: number): void {
    const image = this.#world.brokers[id]!.disk.images.get(`${topicId}-0`)
    let at = image?.logStart ?? 0
    const { trimmedTo } = this.#world
    assert(at <= trimmedTo, `the log of member ${id} begins at ${at} on its disk, nothing is gone from ${trimmedTo} on`)
    for (const batch of image?.batches ?? []) {
      assert(batch.baseOffset <= at, `member ${id} has nothing from ${at} to ${batch.baseOffset} on its disk`)
      for (const [index, text] of textsOf(batch).entries()) {
        const known = this.committed[batch.baseOffset + index] ?? text
        assert(known === text, `member ${id} lacks committed ${known} at ${batch.baseOffset + index} on its disk`)
      }
      at = batch.lastOffset + 1
    }
    const missing = this.committed[at]
    assert(missing === undefined, `member ${id} lacks committed ${missing} at ${at} on its disk`)
  }

  #checkLeader (id: number): void {
    const { row } = this.#world
    const leader = this.#world.replica(id)!.leader
    if (leader === undefined || leader.epoch !== row!.leaderEpoch) return
    const counted = leader.inSync.countedSet()
    for (const member of row!.inSync) {
      assert(hasIdentity(counted, member), `leader ${id} does not count member ${member.brokerId}`)
    }
  }

  /** Somebody was told that `value` is there. */
  told (value: string, offset: number, how: string): void {
    const known = this.committed[offset]?.split('@')[0] ?? 'nothing committed'
    assert(known === value, `${value} was ${how} at ${offset}, where ${known} is`)
  }
}
