// Counts what a producer that is closed has lost.
import type { LostRecords } from './producer-options.ts'

export class Lost {
  readonly #counts = new Map<string, LostRecords>()

  add (topic: string, partition: number | undefined, records: number, written: LostRecords['written']): void {
    if (records === 0) return
    const key = `${topic}/${partition ?? ''}/${written}`
    const before = this.#counts.get(key)?.records ?? 0
    this.#counts.set(key, { topic, partition, records: before + records, written })
  }

  all (): LostRecords[] { return [...this.#counts.values()] }
}
