// A group's position is a register: a read gives the last acknowledged commit, or one that may have
// come after it.
import type { Anomaly } from './anomaly.ts'
import type { Operation, Outcome } from './history.ts'

interface Commit {
  readonly offset: number
  readonly process: string
  readonly startMs: number
  /** Infinity when it may still take effect. */
  readonly endMs: number
  readonly outcome: Outcome
}

interface Question {
  readonly id: string
  readonly offset: number | undefined
  readonly process: string
  readonly startMs: number
  readonly endMs: number
}

export function findCommitAnomalies (history: readonly Operation[]): Anomaly[] {
  const commits = new Map<string, Commit[]>()
  const questions: Question[] = []
  for (const operation of history) {
    const { process, startMs, outcome } = operation
    if (operation.kind === 'commit' && outcome !== 'failed') {
      const endMs = outcome === 'ok' ? operation.endMs : Infinity
      for (const { key, offset } of operation.offsets) {
        const id = `${operation.group}/${key}`
        const list = commits.get(id) ?? []
        list.push({ offset, process, startMs, endMs, outcome })
        commits.set(id, list)
      }
    } else if (operation.kind === 'committed' && outcome === 'ok') {
      for (const { key, offset } of operation.offsets) {
        questions.push({ id: `${operation.group}/${key}`, offset, process, startMs, endMs: operation.endMs })
      }
    }
  }
  return questions.flatMap((question) => judge(question, commits.get(question.id) ?? []))
}

function judge (question: Question, commits: readonly Commit[]): Anomaly[] {
  const { id, offset, process } = question
  // The commit acknowledged before the question that began last: nothing that ended before it may show.
  let last: Commit | undefined
  for (const commit of commits) {
    if (commit.endMs < question.startMs && (last === undefined || commit.startMs > last.startMs)) last = commit
  }
  if (offset === undefined) {
    if (last === undefined) return []
    return [{ kind: 'lost commit', key: id, message: `${process} got nothing; ${words(last)}` }]
  }
  const candidates = commits.filter((commit) => commit.offset === offset && commit.startMs < question.endMs)
  if (candidates.length === 0) {
    return [{ kind: 'unexpected commit', key: id, message: `${process} got ${offset}, which nobody committed` }]
  }
  if (last === undefined || candidates.some((commit) => commit.endMs >= last.startMs)) return []
  return [{ kind: 'lost commit', key: id, message: `${process} got ${offset}; ${words(last)}` }]
}

function words (commit: Commit): string {
  return `${commit.process} had committed ${commit.offset} at ${Math.round(commit.endMs)} ms`
}
