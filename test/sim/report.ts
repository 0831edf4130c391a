// What a person sees of a run.
import { rpcs } from '../../wire/adapters/descriptors.ts'
import type { Method } from '../../wire/ports.ts'
import { formatLine } from './log.ts'
import type { Packet } from './net-pipe.ts'
import type { RunResult } from './run.ts'
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

export function describeFailure (result: RunResult, verbose = false): string {
  const { failure, seed, cluster, plan, virtualMs, events } = result
  if (failure === undefined) return ''
  const lines = cluster.book.lines.filter((line) => verbose || line.level !== 'debug').slice(-linesShown)
  return [
    `seed ${seed} failed after ${Math.round(virtualMs)} ms of virtual time, ${events} events`,
    '', 'last log lines:', ...lines.map(formatLine),
    '', 'last events:', ...cluster.scheduler.trace.last().slice(-eventsShown).map(formatEvent),
    '', `plan: ${JSON.stringify({ ...plan, faults: Object.fromEntries(plan.faults) })}`,
    '', `violated: ${failure.kind}`, failure.message,
    '', `again: npm run sim -- --seed ${seed}`
  ].join('\n')
}
