// What a person asks for when the rules cannot go on by themselves.
import type {
  RecoverPartitionRequest, RecoverPartitionResponse, RestoreTablesRequest, RestoreTablesResponse, Sent
} from '../../wire/messages.ts'
import { Recovery } from './recover.ts'
import type { RecoveryOptions } from './recover.ts'
import type { Restore } from './restore.ts'

export class Repairs {
  readonly #recovery: Recovery
  readonly #restore: Restore

  constructor (options: Omit<RecoveryOptions, 'isFrozen'> & { restore: Restore }) {
    this.#restore = options.restore
    this.#recovery = new Recovery({ ...options, isFrozen: table => options.restore.isFrozen(table) })
  }

  recoverPartition (request: RecoverPartitionRequest): Promise<Sent<RecoverPartitionResponse>> {
    return this.#recovery.recover(request)
  }

  restoreTables (request: RestoreTablesRequest): Promise<Sent<RestoreTablesResponse>> {
    return this.#restore.asked(request)
  }
}
