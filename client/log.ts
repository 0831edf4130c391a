// Where a client's notes go: the application's logger, if it gives one.
import type { ClientEventName, ClientEvents, Tell } from './events.ts'

/** As pino has it: what it is about, then the sentence. */
export interface ClientLog {
  /** What is waited for. */
  debug (about: object, message: string): void
  /** Partitions that come and go. */
  info (about: object, message: string): void
  /** Records, commits and partitions that failed or were lost. */
  warn (about: object, message: string): void
}

/** What is worth a line. The same line is not written twice in a row: what lasts is told again and again. */
export function logged (log: ClientLog): Tell {
  let last = ''
  return <N extends ClientEventName>(name: N, event: ClientEvents[N]) => {
    const line = lineOf(name, event)
    if (line === undefined) return
    const [level, message] = line
    if (name === 'waiting' && message === last) return
    last = message
    log[level]({ event: name, ...event }, message)
  }
}

type Line = readonly [level: keyof ClientLog, message: string]

function lineOf<N extends ClientEventName> (name: N, event: ClientEvents[N]): Line | undefined {
  const told = { name, event } as { [M in ClientEventName]: { name: M, event: ClientEvents[M] } }[ClientEventName]
  switch (told.name) {
    case 'batch.delivered': {
      const { topic, partition, records, error } = told.event
      return error && ['warn', `${records} records for ${topic}/${partition} failed: ${error.message}`]
    }
    case 'offsets.committed': {
      const { group, error } = told.event
      return error && ['warn', `a commit of group ${group} failed: ${error.message}`]
    }
    case 'offset.reset': {
      const { topic, partition, wanted, to } = told.event
      return ['warn', `${topic}/${partition} has no offset ${wanted}; reading goes on at its ${to}`]
    }
    case 'group.assigned': return ['info', `group ${told.event.group}: ${told.event.partitions.length} partitions come`]
    case 'group.revoked': return ['info', `group ${told.event.group}: ${told.event.partitions.length} partitions go`]
    case 'group.lost': {
      const { group, partitions, error } = told.event
      return ['warn', `group ${group}: ${partitions.length} partitions are lost: ${error.message}`]
    }
    case 'waiting': return ['debug', `waiting for ${told.event.what}`]
    case 'records.received':
    case 'record.processed': return undefined
  }
}
