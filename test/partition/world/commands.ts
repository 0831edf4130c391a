// The commands of scenario texts. Brokers are named by number; `key=value` arguments may stand anywhere.
//
//   cluster N [min=M] [in=0,1] [beside=1]   N brokers up, broker 0 leads in epoch 1, everything delivered; beside:
//                                it leads another partition too, which keeps streams open
//   elect N [in=..] [barred=..] [to=..]  a row with the next leader epoch; to: only these brokers hear of it
//   row [in=..] [min=M] [replicas=..] [to=..]  a row with the next version
//   push [to=..]                 the row as it is, and the brokers
//   keep | late [to=..]          remembers the row as it is; pushes what was remembered, late
//   grant [newest] | refuse CODE  the oldest request for an in-sync change, or the newest; grant: to=.. as above
//   fence N | unfence N          and tell everybody
//   append N VALUES.. [as=ID:EPOCH:SEQUENCE]   one batch each; a+b: two records
//   run [MS]                     deliver and fsync all until nothing is left; MS: while time passes
//   deliver A>B [COUNT] | drop A>B [COUNT] | transit A>B
//   rot N                        a read of its log finds what was written damaged
//   fsync N.. | tick MS | crash N | start N | wipe N
//   copy N | rollback N          a snapshot of its volume is taken | put back, while it is down
//   cut A-B | heal A-B | reset A-B   messages wait | go on | streams break
//   pause N | resume N           nothing reaches or leaves it, its fsyncs do not return
//   trim N OFFSET                the owner needs nothing below; at a follower: its own retention takes that
//   order N                      to remove its replica
//   forget N                     everything that there is, in which the topic is not
//   lawless                      what follows breaks the controller's rules on purpose: no promise is asserted any more
//   fetch N OFFSET [follower=EPOCH] | latest N | ends N.. | show   follower: it need not lead; EPOCH the reader's
import { WireError, isErrorCode } from '../../../wire/errors.ts'
import { decodeRecords } from '../../../wire/batch-reader.ts'
import { batches } from '../../../wire/record-batch.ts'
import type { PartitionRow } from '../../../broker/row.ts'
import type { MemoryDisk } from './memory-volume.ts'
import { Promises } from './promises.ts'
import { World, ref, topicId } from './world.ts'

interface Args {
  readonly positional: string[]
  readonly named: Record<string, string>
}

function parse (words: string[]): Args {
  const positional: string[] = []
  const named: Record<string, string> = {}
  for (const word of words) {
    const at = word.indexOf('=')
    if (at > 0) named[word.slice(0, at)] = word.slice(at + 1)
    else positional.push(word)
  }
  return { positional, named }
}

function ids (text: string | undefined, otherwise: number[]): number[] {
  return text === undefined ? otherwise : text.split(',').filter(id => id !== '').map(Number)
}

export class Scenario {
  #world: World | undefined
  #promises: Promises | undefined
  #copy: MemoryDisk | undefined
  #kept: PartitionRow | undefined

  /** Carries out one command and returns what happened. */
  async command (line: string): Promise<string> {
    const [name = '', ...words] = line.split(/\s+/)
    const args = parse(words)
    if (name === 'cluster') {
      await this.#cluster(args)
      return ''
    }
    const world = this.#world
    if (world === undefined) throw new Error('a scenario begins with `cluster N`')
    const told = await this.#run(world, name, args)
    this.#check(world)
    const events = world.events
    world.events = []
    return [...told, ...events].join('\n')
  }

  async #cluster ({ positional, named }: Args): Promise<void> {
    const count = Number(positional[0])
    const world = new World(count)
    this.#world = world
    this.#promises = new Promises(world)
    const all = world.brokers.map(broker => broker.id)
    for (const id of all) await world.start(id)
    world.row = {
      topicId,
      partition: 0,
      replicas: all,
      leader: 0,
      leaderEpoch: 1,
      inSync: ids(named['in'], all).map(id => world.identity(id)),
      version: 1,
      minInSync: Number(named['min'] ?? 2),
      adding: [],
      removing: [],
      barred: []
    }
    if (named['beside'] !== undefined) world.beside = [{ ...world.row, partition: 1 }]
    for (const id of all) world.push(id)
    await world.runFor(200)
    world.events = []
  }

  /** After every command. What an acknowledgement says is looked at when it is known what is committed. */
  #check (world: World): void {
    const promises = this.#promises
    if (promises === undefined) return
    promises.check()
    for (const { value, offset } of world.acknowledged) {
      for (const [index, part] of value.split('+').entries()) promises.told(part, offset + index, 'acknowledged')
    }
    world.acknowledged = []
  }

  async #run (world: World, name: string, { positional, named }: Args): Promise<string[]> {
    const all = world.brokers.map(broker => broker.id)
    const first = Number(positional[0])
    const [from = '', to = ''] = (positional[0] ?? '').split(/[>-]/)
    switch (name) {
      case 'elect':
        world.row = { ...world.row!, leader: first, version: world.row!.version + 1 }
        world.row.leaderEpoch++
        if (named['barred'] !== undefined) {
          world.row.barred = ids(named['barred'], []).map(id => world.identity(id))
          // A person has given up what the survivors lack.
          if (this.#promises !== undefined) this.#promises = new Promises(world)
        }
        if (named['in'] !== undefined) world.row.inSync = ids(named['in'], []).map(id => world.identity(id))
        return this.#push(world, ids(named['to'], all))
      case 'row':
        world.row = { ...world.row!, version: world.row!.version + 1 }
        if (named['in'] !== undefined) world.row.inSync = ids(named['in'], []).map(id => world.identity(id))
        if (named['min'] !== undefined) world.row.minInSync = Number(named['min'])
        if (named['replicas'] !== undefined) world.row.replicas = ids(named['replicas'], [])
        return this.#push(world, ids(named['to'], all))
      case 'push': return this.#push(world, ids(named['to'], all))
      case 'keep':
        this.#kept = world.row
        return []
      case 'late':
        for (const id of ids(named['to'], all)) world.push(id, { rows: [this.#kept!] })
        await world.settle()
        return []
      case 'grant': return this.#grant(world, positional[0] === 'newest', ids(named['to'], all))
      case 'refuse': return this.#refuse(world, positional[0]!)
      case 'fence':
      case 'unfence':
        world.infos.set(first, { ...world.infos.get(first)!, fenced: name === 'fence' })
        for (const id of all) world.push(id, { rows: [] })
        await world.settle()
        return []
      case 'append': return this.#append(world, first, positional.slice(1), named['as'])
      case 'run':
        await (positional.length > 0 ? world.runFor(first) : world.run())
        return []
      case 'deliver': return this.#deliver(world, from, to, positional[1])
      case 'drop':
        return world.network.link(from, to).splice(0, Number(positional[1] ?? Infinity))
          .map(({ text }) => `lost ${text}`)
      case 'transit': return world.network.link(from, to).map(message => message.text)
      case 'fsync':
        for (const id of positional) world.brokers[Number(id)]!.process!.volume.sync()
        await world.settle()
        return []
      case 'tick':
        await world.advance(first)
        return []
      case 'crash':
        world.crash(first)
        return []
      case 'start':
        await world.start(first)
        for (const id of all) world.push(id, id === first ? {} : { rows: [] })
        await world.settle()
        return []
      case 'copy':
        this.#copy = world.brokers[first]!.disk.copy()
        return []
      case 'rollback':
        this.#promises?.excused.add(first)
        world.brokers[first]!.disk = this.#copy!.copy()
        return []
      case 'wipe':
        world.wipe(first)
        return []
      case 'pause':
        world.paused.add(first)
        return []
      case 'resume':
        world.paused.delete(first)
        return []
      case 'rot':
        this.#promises?.excused.add(first)
        world.replica(first)!.log.onDamaged?.('rotten')
        await world.settle()
        return []
      case 'trim':
        world.trimmedTo = Math.max(world.trimmedTo, Number(positional[1]))
        if (world.replica(first)!.leader === undefined) world.replica(first)!.log.advanceLogStart(world.trimmedTo)
        else world.brokers[first]!.process!.host.deleteRecordsBefore(ref, Number(positional[1]))
        return []
      case 'lawless':
        this.#promises = undefined
        return []
      case 'order':
        world.push(first, { rows: [], remove: [{ topicId, partition: 0, ...world.identity(first) }] })
        await world.settle()
        return []
      case 'forget':
        this.#promises?.excused.add(first)
        world.push(first, { full: true, topics: [], rows: [] })
        await world.settle()
        return []
      case 'cut':
      case 'heal':
        for (const link of [`${from}>${to}`, `${to}>${from}`]) {
          if (name === 'cut') world.cuts.add(link)
          else world.cuts.delete(link)
        }
        return []
      case 'reset':
        world.brokers[Number(from)]!.process?.net.reset(to)
        world.brokers[Number(to)]!.process?.net.reset(from)
        await world.settle()
        return []
      case 'fetch': return this.#fetch(world, first, Number(positional[1]), named['follower'])
      case 'latest': return [attempt(() => `latest ${world.brokers[first]!.process!.host.latest(ref).offset}`)]
      case 'ends': return positional.map(id => ends(world, Number(id)))
      case 'show': return [world.describeRow(), ...all.map(id => world.describe(id))]
      default: throw new Error(`no command ${name}`)
    }
  }

  async #push (world: World, to: number[]): Promise<string[]> {
    for (const id of to) world.push(id, { rows: [world.row!] })
    await world.settle()
    return []
  }

  async #grant (world: World, newest: boolean, to: number[]): Promise<string[]> {
    const ask = newest ? world.asks.pop() : world.asks.shift()
    if (ask === undefined) return ['nothing was asked']
    const { request } = ask
    const row = world.row!
    if (request.version !== row.version || request.leaderEpoch !== row.leaderEpoch) {
      ask.done(new WireError('STALE_ROW'), row)
      await world.settle()
      return ['stale']
    }
    world.row = { ...row, version: row.version + 1, inSync: [...request.inSync] }
    await this.#push(world, to)
    return [world.describeRow()]
  }

  async #refuse (world: World, code: string): Promise<string[]> {
    const ask = world.asks.shift()
    if (ask === undefined || !isErrorCode(code)) return ['nothing was asked']
    ask.done(new WireError(code), undefined)
    await world.settle()
    return []
  }

  async #append (world: World, id: number, values: string[], as: string | undefined): Promise<string[]> {
    const [producer, epoch, sequence] = (as ?? '').split(':').map(Number)
    for (const [n, value] of values.entries()) {
      world.append(id, value, as === undefined ? undefined : { id: producer!, epoch: epoch!, sequence: sequence! + n })
    }
    await world.settle()
    return []
  }

  async #deliver (world: World, from: string, to: string, count: string | undefined): Promise<string[]> {
    const messages = world.network.link(from, to).splice(0, Number(count ?? Infinity))
    for (const message of messages) {
      message.deliver()
      await world.settle()
    }
    return messages.map(message => `delivered ${message.text}`)
  }

  async #fetch (world: World, id: number, offset: number, follower?: string): Promise<string[]> {
    try {
      const { records, highWatermark, leaderEpoch } =
        await world.brokers[id]!.process!.host.fetch(ref, offset, Number(follower ?? -1), 1 << 20,
          follower !== undefined)
      const found = [...batches(records)].flatMap(header => decodeRecords(records, header))
      const values = found.map(record => new TextDecoder().decode(record.value!))
      this.#check(world)
      for (const [index, value] of values.entries()) this.#promises?.told(value, found[index]!.offset, 'read')
      return [`e${leaderEpoch} hw ${highWatermark}: ${values.join(' ')}`.trimEnd()]
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      const { logStart, highWatermark, leader } = error.detail
      return [`${error.code}${error.code === 'OFFSET_OUT_OF_RANGE' ? ` [${logStart}, ${highWatermark}]` : ''}` +
        `${error.code === 'NOT_LEADER' ? ` leader ${leader}` : ''}`]
    }
  }
}

function ends (world: World, id: number): string {
  const [answer] = world.brokers[id]!.process!.host.ends([{ topicId, partition: 0 }])
  const { lastEpoch, durableEnd, highWatermark, present } = answer!
  if (!present) return `broker ${id}: absent`
  return `broker ${id}: epoch ${lastEpoch}, durable end ${durableEnd}, hw ${highWatermark}`
}

function attempt (run: () => string): string {
  try {
    return run()
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
}

/** Runs a scenario text and returns it with its outcomes. */
export async function runScenario (text: string): Promise<string> {
  const scenario = new Scenario()
  const out: string[] = []
  let skipping = false
  let told = false
  for (const line of text.split('\n')) {
    if (skipping && line === '') skipping = false
    if (line === '----') skipping = true
    if (skipping) continue
    // An outcome ends with an empty line, or the next command would be taken for a part of it.
    if (told && line !== '') out.push('')
    told = false
    out.push(line)
    if (line === '' || line.startsWith('#')) continue
    const outcome = await scenario.command(line)
    if (outcome === '') continue
    out.push('----', outcome)
    told = true
  }
  return out.join('\n')
}
