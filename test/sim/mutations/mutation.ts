// A rule of docs/replication.md, docs/protocol.md or docs/queue-groups.md taken out of the production source: named
// searches and replacements, done to the text of a file while it loads (loader.ts). The source itself knows nothing.

export interface Edit {
  /** Path from the root of the repository. */
  readonly file: string
  /** Must occur in the file exactly once. */
  readonly search: string
  readonly replace: string
}

/**
 * Who is to find it, in order; the time there is, is shared between them:
 *
 *   seeds               random runs of the whole cluster, as `npm run sim`
 *   plan NAME           the same with the faults of plans.ts
 *   scenario NAME       a script for the whole cluster, over several seeds
 *   histories N/M       random histories of N replicas with M in sync at least (test/partition/world/chaos.ts)
 *   interleaving NAME   a script for replicas under control of every message (test/partition/scenarios)
 */
export type Finder = 'seeds' | `plan ${string}` | `scenario ${string}` | `histories ${number}/${number}` |
  `interleaving ${string}`

export interface Mutation {
  readonly name: string
  /** A heading of docs/replication.md, docs/protocol.md or docs/queue-groups.md. */
  readonly rule: string
  /** What is taken out, in a sentence. */
  readonly without: string
  /** More than one where a rule is kept by several checks. */
  readonly edits: readonly Edit[]
  /** Default: seeds alone. */
  readonly finders?: readonly Finder[]
  /** Only a violation of this class counts: others come from the rest of what is taken out. */
  readonly kind?: string
  /** Why nothing finds it yet: it is listed, and fails nothing. */
  readonly open?: string
  /** For the table: why several layers go together, say. */
  readonly note?: string
}

export class MutationError extends Error {
  override readonly name = 'MutationError'
}

/** Throws MutationError unless each search occurs exactly once. */
export function mutate (mutation: Mutation, file: string, text: string): string {
  let mutated = text
  for (const { search, replace } of mutation.edits.filter((edit) => edit.file === file)) {
    const parts = mutated.split(search)
    if (parts.length !== 2) {
      throw new MutationError(`${mutation.name}: '${search}' occurs ${parts.length - 1} times in ${file}`)
    }
    mutated = parts.join(replace)
  }
  return mutated
}
