// The rounds of a run: faults strike, last, heal; then everything must become whole. What was measured is
// worked out afterwards, from the histories (gaps.ts).
import { join } from 'node:path'
import { nowMs, pause } from './clock.ts'
import { Crashes } from './crashes.ts'
import type { Death, FaultKind, Scene, Strike } from './kind.ts'

/**
 * After healing, until every replica is in sync and every broker ready. A drain and a rolling restart that faults have
 * hindered only begin then, one broker after the other.
 */
export const wholeMsMax = 180_000
/**
 * From then on, until every partition lies as it shall (broker/limits.ts): leaderships stay for 30 s where they were
 * taken from one that struggled; brokers are evened out when all has been well for 10 s; moves copy.
 */
const settledMsMax = 120_000
const calmMs = 2_000
const mixRoundMs = 30_000
/** In the mix: between two strikes, on average. */
const betweenStrikesMs = 4_000
/** The second of a pair waits so long for whom it may strike: a controller while there is none. */
const possibleMsMax = 5_000

export interface Round {
  readonly name: string
  readonly what: string[]
  /** Kinds that could not be done, or that nothing came of, and why. */
  readonly missed?: readonly string[]
  readonly startedAtMs: number
  readonly healedAtMs: number
  /** Infinity: not within wholeMsMax. */
  readonly wholeAtMs: number
}

export type Pair = readonly [FaultKind, FaultKind]

/** What a round does, as it goes. */
interface Deed {
  readonly what: string[]
  readonly missed: string[]
}

/**
 * Every two kinds that can be at once, each with itself too where there is more than one to strike. Two that take
 * copies away cannot: more than one lost volume is not promised.
 */
export function allPairs (kinds: readonly FaultKind[]): Pair[] {
  return kinds.flatMap((first, index) => kinds.slice(index).flatMap((second): Pair[] => {
    if (first === second && first.single === true) return []
    if (first.lossy === true && second.lossy === true) return []
    return [first.takesAll === true ? [second, first] : [first, second]]
  }))
}

export class Rounds {
  readonly done: Round[] = []
  /** What went wrong that no history shows. */
  readonly failures: string[] = []
  readonly deaths: Death[] = []
  readonly #scene: Scene
  readonly #say: (line: string) => void
  readonly #stopped: () => boolean
  readonly #crashes: Crashes
  #toVerify: Strike[] = []
  /** A copy was lost, and not everything was whole since. */
  #lossy = false

  constructor (scene: Scene, say: (line: string) => void, stopped: () => boolean) {
    this.#scene = scene
    this.#say = say
    this.#stopped = stopped
    this.#crashes = new Crashes(join(scene.world.folder, 'logs'))
  }

  async singles (kinds: readonly FaultKind[]): Promise<void> {
    for (const kind of kinds) {
      if (this.#stopped()) return
      await this.#round(kind.name, deed => this.#last(kind, kind.lastsMs.alone, deed), kind.settles === true)
      const missed = this.done.at(-1)?.missed ?? []
      this.failures.push(...missed.map(why => `${kind.name}: ${why}`))
    }
    if (kinds.length > 0) await this.#settle('all of that')
  }

  async pairs (pairs: readonly Pair[]): Promise<void> {
    const { rng } = this.#scene
    for (const [first, second] of pairs) {
      if (this.#stopped()) return
      await this.#round(`${first.name} + ${second.name}`, async deed => {
        const lasting = [this.#last(first, this.#drawn(first), deed)]
        await this.#wait(rng.integer(3_000))
        lasting.push(this.#last(second, this.#drawn(second), deed, possibleMsMax))
        await Promise.all(lasting)
      })
    }
    if (pairs.length > 0) await this.#settle('all of that')
  }

  async mix (kinds: readonly FaultKind[], minutes: number): Promise<void> {
    const { rng } = this.#scene
    const endMs = nowMs() + minutes * 60_000
    for (let index = 1; nowMs() < endMs && !this.#stopped(); index++) {
      await this.#round(`mix ${index}`, async deed => {
        const lasting: Promise<void>[] = []
        const roundEndMs = Math.min(nowMs() + mixRoundMs, endMs)
        while (nowMs() < roundEndMs && !this.#stopped()) {
          const kind = pickWeighted(kinds, this.#scene)
          lasting.push(this.#last(kind, Math.min(this.#drawn(kind), roundEndMs - nowMs()), deed))
          await this.#wait(Math.min(rng.exponential(betweenStrikesMs), Math.max(0, roundEndMs - nowMs())))
        }
        await Promise.all(lasting)
      }, true)
    }
  }

  #drawn ({ lastsMs: { mixed: [min, max] } }: FaultKind): number {
    return min + this.#scene.rng.integer(Math.max(1, max - min))
  }

  /** Strikes, lasts, heals. @param possibleMs is tried for so long */
  async #last (kind: FaultKind, lastsMs: number, deed: Deed, possibleMs = 0): Promise<void> {
    const triedUntilMs = nowMs() + possibleMs
    let strike = await this.#strike(kind, Math.max(0, lastsMs), deed)
    while (strike === undefined && nowMs() < triedUntilMs && !this.#stopped()) {
      await this.#wait(200)
      strike = await this.#strike(kind, Math.max(0, lastsMs), deed)
    }
    if (strike === undefined) {
      deed.missed.push(`'${kind.name}' could not be done`)
      return
    }
    await this.#wait(lastsMs)
    await strike.heal()
    for (const broker of strike.brokers ?? []) this.#scene.struck.delete(broker)
    const why = strike.struck?.() ?? ''
    if (why === '') return
    this.#say(`  nothing came of '${kind.name}': ${why}`)
    deed.missed.push(`nothing came of '${strike.what}': ${why}`)
  }

  async #strike (kind: FaultKind, lastsMs: number, { what }: Deed): Promise<Strike | undefined> {
    if (kind.lossy === true) {
      if (this.#lossy) return undefined
      this.#lossy = true
    }
    const strike = await kind.strike(this.#scene, lastsMs)
    if (strike === undefined) {
      if (kind.lossy === true) this.#lossy = false
      return undefined
    }
    for (const broker of strike.brokers ?? []) this.#scene.struck.add(broker)
    if (strike.death !== undefined) this.deaths.push(strike.death)
    what.push(strike.what)
    this.#toVerify.push(strike)
    this.#say(`  ${strike.what}, for ${(lastsMs / 1000).toFixed(1)} s`)
    return strike
  }

  /** @param settles afterwards every partition must lie as it shall */
  async #round (name: string, body: (deed: Deed) => Promise<void>, settles = false): Promise<void> {
    const { world, struck } = this.#scene
    this.#say(name)
    const deed: Deed = { what: [], missed: [] }
    const { what, missed } = deed
    const startedAtMs = nowMs()
    await body(deed)
    world.network.healAll()
    world.releaseAll()
    struck.clear()
    const healedAtMs = nowMs()
    const wholeAtMs = await this.#whole(healedAtMs)
    this.#lossy = false
    if (Number.isFinite(wholeAtMs)) this.#say(`  whole ${((wholeAtMs - healedAtMs) / 1000).toFixed(1)} s after it`)
    else this.failures.push(`${name} (${what.join('; ')}): ${world.notReady()}, ${wholeMsMax / 1000} s after healing`)
    await this.#verify(`${name} (${what.join('; ')})`, settles && Number.isFinite(wholeAtMs))
    for (const crash of this.#crashes.news()) {
      this.#say(`  ${crash}`)
      this.failures.push(`${name} (${what.join('; ')}): ${crash}`)
    }
    for (const end of world.ends()) {
      this.#say(`  ${end}`)
      // Those are of the harness and of Kubernetes; whatever else ends a process is a crash.
      if (/ (?:exit code \d+|SIGKILL|SIGTERM)$/.test(end)) continue
      this.failures.push(`${name} (${what.join('; ')}): ${end}`)
    }
    this.done.push({ name, what, missed, startedAtMs, healedAtMs, wholeAtMs })
    await this.#wait(calmMs)
  }

  async #verify (name: string, settles: boolean): Promise<void> {
    const wrong: string[] = []
    for (const strike of this.#toVerify.splice(0)) wrong.push(await strike.verify?.() ?? '')
    wrong.push(...this.#scene.world.placement.failures.splice(0))
    for (const text of wrong.filter(each => each !== '')) {
      this.#say(`  ${text}`)
      this.failures.push(`${name}: ${text}`)
    }
    if (settles) await this.#settle(name)
  }

  /** With nothing in the way, by itself. */
  async #settle (name: string): Promise<void> {
    const sinceMs = nowMs()
    let wrong = this.#scene.world.misplaced()
    while (wrong !== '' && nowMs() - sinceMs < settledMsMax && !this.#stopped()) {
      await pause(50)
      wrong = this.#scene.world.misplaced()
    }
    if (wrong === '') this.#say(`  settled ${((nowMs() - sinceMs) / 1000).toFixed(1)} s after that`)
    else if (!this.#stopped()) this.failures.push(`${name}: ${wrong}, ${settledMsMax / 1000} s after all was whole`)
  }

  /** When everything was whole, and stayed so for a moment: what has just been struck may not show yet. */
  async #whole (healedAtMs: number): Promise<number> {
    let sinceMs = Infinity
    while (nowMs() - healedAtMs < wholeMsMax) {
      if (this.#scene.world.notReady() !== '') sinceMs = Infinity
      else if (sinceMs === Infinity) sinceMs = nowMs()
      else if (nowMs() - sinceMs > 1_000) return sinceMs
      await pause(50)
    }
    return Infinity
  }

  async #wait (ms: number): Promise<void> {
    const endMs = nowMs() + ms
    while (nowMs() < endMs && !this.#stopped()) await pause(Math.min(200, Math.max(1, endMs - nowMs())))
  }
}

function pickWeighted (kinds: readonly FaultKind[], { rng }: Scene): FaultKind {
  const total = kinds.reduce((sum, { weight = 1 }) => sum + weight, 0)
  let left = rng.fraction() * total
  for (const kind of kinds) {
    left -= kind.weight ?? 1
    if (left < 0) return kind
  }
  return kinds.at(-1)!
}
