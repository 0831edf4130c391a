// Exit codes, and how an error becomes one line and one of them.
import { MillraceError } from '../client/errors.ts'
import { KubeError } from '../operator/kube/api.ts'
import { note } from './notes.ts'

export const exitCodes = {
  ok: 0,
  /** Refused or failed; nothing that passes by itself. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** No broker, no leader or no API server within --timeout, or no answer in time. */
  unavailable: 3,
  /** The topic, partition, group or cluster does not exist. */
  notFound: 4,
  /** `plan`: something of what was asked about would be refused. */
  refused: 5
} as const

export const exitCodesHelp = `Exit codes:
  0  done
  1  refused or failed
  2  wrong usage
  3  no broker, leader or Kubernetes API in time (--timeout)
  4  no such topic, partition, group or cluster
  5  plan: something would be refused
  130, 143  interrupted by SIGINT or SIGTERM before the end`

/** An error of the command itself. */
export class CliError extends Error {
  readonly exitCode: number

  constructor (message: string, exitCode: number = exitCodes.failed) {
    super(message)
    this.exitCode = exitCode
  }
}

const notFoundCodes = new Set(['UNKNOWN_TOPIC', 'UNKNOWN_PARTITION', 'UNKNOWN_TOPIC_ID', 'UNKNOWN_GROUP'])
const unreachable = new Set(['ConnectionRefused', 'ConnectionBroken', 'TimedOut'])

/** Says what went wrong in one line; the exit code for it. */
export function report (error: unknown): number {
  if (error instanceof CliError) {
    note(`error: ${error.message}`)
    return error.exitCode
  }
  if (error instanceof MillraceError) {
    // Where the message names the way out already, the table's help would only repeat it.
    const help = notFoundCodes.has(error.code) || error.code === 'TIMED_OUT' ? '' : ` ${error.help}`
    note(`error: ${sentence(error.message)}${help}`.trim())
    if (notFoundCodes.has(error.code)) return exitCodes.notFound
    return error.retriable ? exitCodes.unavailable : exitCodes.failed
  }
  if (error instanceof KubeError) {
    note(`error: ${error.message}`)
    return unreachable.has(error.reason) ? exitCodes.unavailable : exitCodes.failed
  }
  note(`error: ${error instanceof Error ? error.message : String(error)}`)
  if (process.env['MILLRACE_DEBUG'] !== undefined && error instanceof Error) note(error.stack ?? '')
  return exitCodes.failed
}

function sentence (text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
