// A client for the length of one command.
import { Millrace } from '../client/index.ts'
import { WaitingNotes } from './notes.ts'

export interface ConnectOptions {
  readonly bootstrap: string
  /** Milliseconds. */
  readonly timeout: number
}

export const bootstrapDefault = '127.0.0.1:9090'

/** Runs with a client that is closed afterwards, whatever happens. */
export async function withClient<T> (options: Pick<ConnectOptions, 'bootstrap'>,
  run: (client: Millrace, waiting: WaitingNotes) => Promise<T>): Promise<T> {
  const waiting = new WaitingNotes()
  const client = new Millrace({ bootstrap: options.bootstrap, onWaiting: what => { waiting.waiting(what) } })
  // The client's own timers do not keep a process alive; a command that waits does.
  const alive = setInterval(() => {}, 60_000)
  try {
    return await run(client, waiting)
  } finally {
    clearInterval(alive)
    await client.close()
  }
}
