// millrace group delete: a group without members is forgotten, with what it committed.
import { withClient } from './connect.ts'
import type { ConnectOptions } from './connect.ts'
import { exitCodes } from './exit.ts'
import { note } from './notes.ts'

export async function groupDelete (name: string, options: ConnectOptions): Promise<number> {
  await withClient(options, client => client.admin().deleteGroup(name, { timeoutMs: options.timeout }))
  note(`group ${name} is forgotten`)
  return exitCodes.ok
}
