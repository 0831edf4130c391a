// What a person sees of a run.
import { rpcs } from '../../wire/adapters/descriptors.ts'
import type { Method } from '../../wire/ports.ts'
import { formatLine } from './log.ts'
import type { Packet } from './net-pipe.ts'
import { commandOf } from './plan-text.ts'
import type { RunResult } from './run.ts'
import type { Shrunk } from './shrink.ts'
import type { TraceEntry } from './trace.ts'

const eventsShown = 60
const linesShown = 60

function isPacket (detail: unknown): detail is Packet {
  return typeof detail === 'object' && detail !== null && 'atMs' in detail && 'kind' in detail
}

function shorten (text: string): string { return text.length > 400 ? `${text.slice(0, 400)} ...` : text }

function formatDetail ({ what, detail }: TraceEntry): string {
  if (detail === undefined) return ''
  if (!isPacket(detail)) return String(detail)
  if (detail.kind !== 'message' || detail.bytes === undefined) return detail.error?.message ?? detail.kind
  const [method = '', direction] = what.split(' ')
  const rpc = rpcs[method as Method]
  const codec = direction === '>' ? rpc.request : rpc.response
  const message = (codec as { decode (bytes: Buffer): unknown }).decode(detail.bytes)
  return shorten(JSON.stringify(message, (_, value: unknown) => {
    if (value instanceof Uint8Array ||
      (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer')) {
      return '<bytes>'
    }
    return value
  }))
}

export function formatEvent (entry: TraceEntry): string {
  return `${entry.atMs.toFixed(1).padStart(10)} ${entry.who.padEnd(8)} ${entry.what} ${formatDetail(entry)}`.trimEnd()
}

function strikesOf ({ strikes }: RunResult): string[] {
  return strikes.map(({ name, atMs, broker }) => `${atMs.toFixed(1).padStart(10)} ${name} (broker ${broker})`)
}

function planOf ({ plan }: RunResult): string {
  return JSON.stringify({ ...plan, faults: Object.fromEntries(plan.faults) })
}

function lastOf (result: RunResult, verbose: boolean): string[] {
  const { cluster } = result
  const lines = cluster.book.lines.filter((line) => verbose || line.level !== 'debug').slice(-linesShown)
  return [
    '', 'last log lines:', ...lines.map(formatLine),
    '', 'last events:', ...cluster.scheduler.trace.last().slice(-eventsShown).map(formatEvent)
  ]
}

export function describeFailure (result: RunResult, verbose = false): string {
  const { failure, seed, plan, virtualMs, events } = result
  if (failure === undefined) return ''
  return [
    `seed ${seed} failed after ${Math.round(virtualMs)} ms of virtual time, ${events} events`,
    ...lastOf(result, verbose),
    '', 'faults:', ...strikesOf(result),
    '', `plan: ${planOf(result)}`,
    '', `violated: ${failure.kind}`, failure.message,
    '', `again: ${commandOf(seed, plan)}`
  ].join('\n')
}

/** The smallest run found, with all that happened to the cluster in it. */
export function describeShrunk (failed: RunResult, { result, runs }: Shrunk): string {
  if (result === failed) return `no smaller run fails like this (${runs} tried)`
  const { seed, plan, virtualMs, events, failure, strikes } = result
  return [
    '', `smallest of ${runs} runs: ${Math.round(virtualMs)} ms of virtual time, ${events} events, ` +
      `${strikes.length} faults; at first ${Math.round(failed.virtualMs)} ms, ${failed.events} events, ` +
      `${failed.strikes.length} faults`,
    ...lastOf(result, false),
    '', 'faults:', ...strikesOf(result),
    '', `plan: ${planOf(result)}`,
    '', `violated: ${failure?.kind ?? ''}`, failure?.message ?? '',
    '', `again: ${commandOf(seed, plan)}`
  ].join('\n')
}
