// Where brokers are, and whom to ask next.
import { WireError } from '../wire/errors.ts'
import type { BrokerInfo } from '../wire/messages.ts'
import type { Net, Rng } from '../wire/ports.ts'

export class BrokerAddresses {
  readonly #net: Net
  readonly #bootstrap: readonly string[]
  readonly #addresses = new Map<number, string>()
  /** Brokers that the controller counts as lost. */
  readonly #fenced = new Set<number>()
  readonly #racks = new Map<number, string>()
  /** uid of the cluster that the addresses are of; empty before a broker has answered. */
  #cluster = ''
  #turn: number

  constructor (net: Net, rng: Rng, bootstrap: readonly string[]) {
    this.#net = net
    this.#bootstrap = bootstrap
    this.#turn = rng.integer(1_000)
  }

  get bootstrap (): string { return this.#bootstrap.join(', ') }

  get (brokerId: number): string | undefined {
    return this.#addresses.get(brokerId)
  }

  /** True when it lives in the rack, as far as is known. */
  isIn (rack: string, brokerId: number): boolean {
    return this.#racks.get(brokerId) === rack && !this.#fenced.has(brokerId) && this.#addresses.has(brokerId)
  }

  /** True when it is news. */
  set (brokerId: number, address: string): boolean {
    const before = this.#addresses.get(brokerId)
    if (address === '' || address === before) return false
    this.#addresses.set(brokerId, address)
    this.#letGo(before)
    return true
  }

  /** A broker has answered: from now on that cluster is meant, whoever may have the addresses of its brokers later. */
  belong (clusterUid: string): void {
    if (this.#cluster !== '' || !/^[\x21-\x7e]{1,100}$/.test(clusterUid)) return
    this.#cluster = clusterUid
    this.#net.identify(clusterUid)
  }

  /** An answer that says so is of another cluster: its question was on its way when it was not known which is meant. */
  isOther (clusterUid: string): boolean {
    return this.#cluster !== '' && clusterUid !== '' && clusterUid !== this.#cluster
  }

  /**
   * Nobody has answered. True when another cluster is at a bootstrap address now, as after the old one was deleted
   * and made again: then nothing is known but where to begin. Not before everybody was asked: the address of a pod
   * may be a third cluster's, which would serve whoever means none, and one bootstrap address of several another's.
   */
  refused (failures: ReadonlyMap<string, unknown>): boolean {
    const isElsewhere = (error: unknown): boolean => error instanceof WireError && error.code === 'WRONG_BROKER'
    if (!this.#bootstrap.some(address => isElsewhere(failures.get(address)))) return false
    this.#cluster = ''
    this.#net.identify('')
    for (const brokerId of [...this.#addresses.keys()]) this.#remove(brokerId)
    return true
  }

  #remove (brokerId: number): void {
    const address = this.#addresses.get(brokerId)
    this.#addresses.delete(brokerId)
    this.#fenced.delete(brokerId)
    this.#racks.delete(brokerId)
    this.#letGo(address)
  }

  /** True when a broker of the cluster has the address now, or it is a bootstrap address. */
  isKnown (address: string): boolean {
    if (this.#bootstrap.includes(address)) return true
    for (const known of this.#addresses.values()) if (known === address) return true
    return false
  }

  /** @param complete brokers that are left out do not exist any more. True when there is news. */
  update (brokers: readonly BrokerInfo[], complete: boolean): boolean {
    let news = false
    for (const { brokerId, clientAddress, fenced, rack } of brokers) {
      this.#racks.set(brokerId, rack)
      news = this.set(brokerId, clientAddress) || news
      if (fenced) this.#fenced.add(brokerId)
      else this.#fenced.delete(brokerId)
    }
    if (!complete || brokers.length === 0) return news
    const present = new Set(brokers.map(({ brokerId }) => brokerId))
    for (const brokerId of [...this.#addresses.keys()]) if (!present.has(brokerId)) this.#remove(brokerId)
    return news
  }

  #letGo (address: string | undefined): void {
    if (address !== undefined && !this.isKnown(address)) this.#net.forget(address)
  }

  /**
   * Everybody who may be asked, another one first each time, then one where it begins, lost brokers last: addresses
   * of pods may all be old ones where nobody is, and each would keep whoever asks there waiting.
   */
  candidates (): string[] {
    const of = (fenced: boolean): string[] => [...this.#addresses]
      .filter(([brokerId]) => this.#fenced.has(brokerId) === fenced)
      .map(([, address]) => address)
    const first = [...new Set([...of(false), ...this.#bootstrap])]
    const turn = this.#turn++
    const start = turn % first.length
    const begin = this.#bootstrap[turn % this.#bootstrap.length]!
    return [...new Set([first[start]!, begin, ...first.slice(start), ...first.slice(0, start), ...of(true)])]
  }
}
