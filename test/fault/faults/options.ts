// The flags of `npm run faults`. Pure.
import { parseArgs } from 'node:util'
import type { FaultKind } from './kind.ts'

export type Workload = 'records' | 'groups' | 'queues'

export interface FaultOptions {
  readonly brokers: number
  readonly workload: Workload
  /** Each kind by itself. */
  readonly singles: readonly FaultKind[]
  /** How many random pairs; Infinity: every two kinds once. */
  readonly pairs: number
  /** Of all pairs: this part of so many, from 1 on. */
  readonly part: readonly [number, number]
  /** Of the mix; 0 for none. */
  readonly mixMinutes: number
  /** What pairs and the mix are drawn from. */
  readonly drawn: readonly FaultKind[]
  readonly seed: number
  readonly partitions: number
  /** Between two rounds of a producer. */
  readonly everyMs: number
  /** What single kinds have cost goes into docs/proof.md. */
  readonly figures: boolean
  /** Keeps the folder, also when all is well. */
  readonly keep: boolean
  readonly folder: string | undefined
  readonly help: boolean
}

const pairsDefault = 10
const minutesDefault = 5

export const usage = `Faults on a cluster of real processes, under load; then the checker.

  npm run faults                          each kind alone, ${pairsDefault} pairs, ${minutesDefault} min of the mix
  npm run faults -- --mix --minutes 2     the mix alone
  npm run faults -- --only 'kill,one way' these kinds alone, one after the other
  npm run faults -- --pairs 20 --only kill,pause,'api down'
  npm run faults -- --workload groups --minutes 10
                                          faults of groups alone, then the mix with them
  npm run faults -- --workload queues     the same for queue groups

  --brokers N       3 to 5 (3)
  --workload W      records: producers, and consumers that choose their partitions; groups: members that share
                    them, and faults of members and coordinators beside all others; queues: workers of queue
                    groups, and the same faults (records)
  --single          each kind alone
  --times N         so often (1)
  --pairs [N]       so many random pairs of kinds, one of each at a time; all: every two kinds once
  --part I/N        of all pairs the I-th of N parts, for as many runs (1/1)
  --mix             all kinds at random times, healed every half minute
  --minutes M       how long the mix lasts (${minutesDefault})
  --only K,K,...    of these kinds
  --but K,K,...     not of these kinds
  --seed N          what is drawn, and when; printed
  --partitions N    of each topic (4)
  --every MS        between two records of a producer for one partition (40)
  --figures         what single kinds have cost goes into docs/proof.md, when all is well
  --dir D           where everything is kept while it runs (a temporary folder)
  --keep            keeps the folder also when all is well
`

/** @throws Error with one line. */
export function parseFaultOptions (args: readonly string[], kinds: readonly FaultKind[], seed: number): FaultOptions {
  const { values } = parseArgs({
    // `--pairs` alone means the default number.
    args: args.flatMap((arg, index) =>
      arg === '--pairs' && !/^(?:\d+|all)$/.test(args[index + 1] ?? '') ? ['--pairs', String(pairsDefault)] : [arg]),
    options: {
      brokers: { type: 'string' },
      workload: { type: 'string' },
      single: { type: 'boolean' },
      times: { type: 'string' },
      pairs: { type: 'string' },
      part: { type: 'string' },
      mix: { type: 'boolean' },
      minutes: { type: 'string' },
      only: { type: 'string' },
      but: { type: 'string' },
      seed: { type: 'string' },
      partitions: { type: 'string' },
      every: { type: 'string' },
      figures: { type: 'boolean' },
      dir: { type: 'string' },
      keep: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' }
    }
  })
  const brokers = number('brokers', values.brokers, 3, 3, 5)
  const { workload = 'records' } = values
  if (workload !== 'records' && workload !== 'groups' && workload !== 'queues') {
    throw new Error('--workload must be records, groups or queues')
  }
  const chosen = choose(values.only, values.but, kinds.filter(kind => isIn(workload, kind)))
    .filter(kind => (kind.brokersMin ?? 0) <= brokers)
  const all = values.single !== true && values.pairs === undefined && values.mix !== true
  const onlyKinds = all && values.only !== undefined
  const isSoak = all && !onlyKinds && workload !== 'records'
  const alone = isSoak ? chosen.filter(kind => kind.ofGroups === true) : chosen
  const times = number('times', values.times, 1, 1, 1_000)
  return {
    brokers,
    workload,
    singles: all || values.single === true ? alone.flatMap(kind => Array.from({ length: times }, () => kind)) : [],
    pairs: values.pairs === 'all'
      ? Infinity
      : number('pairs', values.pairs, all && !onlyKinds && !isSoak ? pairsDefault : 0, 0, 10_000),
    part: parsePart(values.part),
    mixMinutes: values.mix === true || (all && !onlyKinds)
      ? number('minutes', values.minutes, minutesDefault, 0.1, 10_000)
      : 0,
    drawn: chosen.filter(kind => kind.weight !== 0),
    seed: number('seed', values.seed, seed, 0, 2 ** 32),
    partitions: number('partitions', values.partitions, 4, 1, 200),
    everyMs: number('every', values.every, 40, 1, 10_000),
    figures: values.figures ?? false,
    keep: values.keep ?? false,
    folder: values.dir,
    help: values.help ?? false
  }
}

function isIn (workload: Workload, kind: FaultKind): boolean {
  return kind.ofGroups !== true || workload !== 'records'
}

function choose (only: string | undefined, but: string | undefined, kinds: readonly FaultKind[]): FaultKind[] {
  const named = (list: string): FaultKind[] => list.split(',').map(name => {
    const kind = kinds.find(each => each.name === name.trim())
    if (kind !== undefined) return kind
    throw new Error(`there is no fault '${name}' in this workload; ` +
      `there are: ${kinds.map(each => each.name).join(', ')}`)
  })
  const excluded = but === undefined ? [] : named(but)
  return (only === undefined ? [...kinds] : named(only)).filter(kind => !excluded.includes(kind))
}

function parsePart (text = '1/1'): [number, number] {
  const [index = 0, count = 0] = text.split('/').map(Number)
  if (!(index >= 1 && index <= count)) throw new Error('--part must be as 1/2')
  return [index, count]
}

function number (name: string, text: string | undefined, otherwise: number, min: number, max: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (text === '' || !(value >= min && value <= max)) throw new Error(`--${name} must be from ${min} to ${max}`)
  return value
}
