// millrace group list: every group that the brokers know.
import { withClient } from './connect.ts'
import type { ConnectOptions } from './connect.ts'
import { exitCodes } from './exit.ts'
import { note } from './notes.ts'
import { print } from './output.ts'
import { table } from './table.ts'

export interface GroupListOptions extends ConnectOptions {
  readonly json?: boolean
}

export async function groupList (options: GroupListOptions): Promise<number> {
  const groups = await withClient(options, client => client.admin().listGroups({ timeoutMs: options.timeout }))
  if (options.json === true) {
    await print(groups.map(each => `${JSON.stringify(each)}\n`).join(''))
    return exitCodes.ok
  }
  if (groups.length === 0) note('no groups; a consumer makes one: millrace consume TOPIC -g NAME')
  else {
    await print(table(['GROUP', 'MODE', 'STATE', 'MEMBERS', 'PARTITIONS'],
      groups.map(({ group, state, members, offsets, queue }) =>
        [group, queue ? 'queue' : 'consumer', state, members, offsets])))
  }
  return exitCodes.ok
}
