// The brokers that a controller knows, and what they hold: how a drain goes on. One replica is one number here;
// the rules are those of broker/controller/: a broker that is drained gets nothing, gives its replicas to those
// that stay, deletes their data afterwards, and is forgotten only when it holds nothing and has no session.
import { WireError } from '../../../wire/errors.ts'
import type { BrokerDrain, BrokerInfo } from '../../../wire/messages.ts'

export interface FakeBroker {
  readonly id: number
  isRunning: boolean
  draining: boolean
  /** Replicas that rows name on it. */
  replicas: number
  /** Replicas that left it, whose data it still has. */
  data: number
}

export class FakeBrokers {
  readonly known = new Map<number, FakeBroker>()
  /** As MaintainBrokers said last. */
  resting: readonly number[] = []
  /** Lists that DrainBrokers named, each once. */
  readonly wishes: string[] = []
  /** How many replicas a question about drains moves on; 0: nothing moves before a test says so. */
  pace = 1
  /** Why nothing moves; empty while it does. */
  stuck = ''
  /** The controller writes a table for whatever moves. */
  onMoved: () => void = () => {}

  /** A session begins. */
  register (id: number): void {
    const known = this.known.get(id)
    if (known !== undefined) known.isRunning = true
    else this.known.set(id, { id, isRunning: true, draining: false, replicas: 0, data: 0 })
  }

  /** A session ends. */
  lose (id: number): void {
    const known = this.known.get(id)
    if (known !== undefined) known.isRunning = false
  }

  get all (): FakeBroker[] {
    return [...this.known.values()].sort((a, b) => a.id - b.id)
  }

  /** Those that may have replicas. */
  get staying (): FakeBroker[] {
    return this.all.filter(broker => !broker.draining)
  }

  drain (ids: readonly number[]): BrokerDrain[] {
    const wish = ids.join()
    if (this.wishes.at(-1) !== wish) this.wishes.push(wish)
    const before = JSON.stringify(this.all)
    for (const broker of this.known.values()) broker.draining = ids.includes(broker.id)
    this.moveOn()
    if (JSON.stringify(this.all) !== before) this.onMoved()
    return this.drains()
  }

  drains (): BrokerDrain[] {
    return this.all.filter(({ draining }) => draining).map(({ id, replicas, data }) =>
      ({ brokerId: id, replicasLeft: replicas, dataLeft: data, waitingFor: replicas > 0 ? this.stuck : '' }))
  }

  moveOn (): void {
    const [heir] = this.staying
    for (const broker of this.all) {
      if (!broker.draining || heir === undefined) continue
      broker.data -= Math.min(broker.data, this.pace)
      if (this.stuck !== '') continue
      const moved = Math.min(broker.replicas, this.pace)
      broker.replicas -= moved
      broker.data += moved
      heir.replicas += moved
    }
  }

  remove (id: number): void {
    const broker = this.known.get(id)
    if (broker === undefined) throw new WireError('UNKNOWN_BROKER')
    if (broker.isRunning || broker.replicas + broker.data > 0) throw new WireError('BROKER_IN_USE')
    this.known.delete(id)
  }

  info (): BrokerInfo[] {
    return this.all.map(({ id, isRunning, draining }) => ({
      brokerId: id,
      volumeId: `${id}`.padStart(16, '0'),
      brokerEpoch: 1,
      incarnation: '0'.repeat(16),
      fenced: !isRunning,
      stopping: false,
      clientAddress: `127.0.0.1:${9000 + id}`,
      peerAddress: `127.0.0.1:${9100 + id}`,
      rack: '',
      draining,
      listeners: [],
      maintenance: this.resting.includes(id)
    }))
  }
}
