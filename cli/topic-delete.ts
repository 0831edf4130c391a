// millrace topic delete: deletes the Topic object, and the records if that is its policy or is asked for.
import { createInterface } from 'node:readline/promises'
import { finalizer } from '../operator/objects/names.ts'
import { kinds } from '../operator/kube/types.ts'
import { CliError, exitCodes } from './exit.ts'
import { pause, withKube } from './kube.ts'
import type { Kube, KubeOptions } from './kube.ts'
import { note, WaitingNotes } from './notes.ts'
import { topicObjects } from './topic-objects.ts'
import type { TopicObject } from './topic-objects.ts'

export interface TopicDeleteOptions extends KubeOptions {
  readonly cluster?: string
  readonly yes?: boolean
  readonly records?: boolean
}

const pollMs = 100

export async function topicDelete (name: string, options: TopicDeleteOptions): Promise<number> {
  return await withKube(options, async kube => {
    const topic = await theOne(kube, name, options.cluster)
    const records = options.records === true || topic.spec.deletePolicy === 'Delete'
    const what = `topic ${name} of cluster ${topic.spec.cluster} ` +
      `(Topic ${topic.metadata.name}, namespace ${kube.namespace}, context ${kube.context})`
    const fate = records
      ? 'its records are deleted too'
      : 'its records are kept and still served; a new Topic of that name takes them over (--records deletes them)'
    await confirm(`delete ${what}: ${fate}`, options.yes === true)
    if (records) await commitToDelete(kube, topic, options.timeout)
    const { uid } = topic.metadata
    const exactly = uid === undefined ? {} : { uid }
    await kube.reach(() => kube.api.delete(kinds.topic, kube.namespace, topic.metadata.name, exactly))
    await untilGone(kube, topic, options.timeout)
    note(`deleted ${what}: ${fate}`)
    return exitCodes.ok
  })
}

async function theOne (kube: Kube, name: string, cluster: string | undefined): Promise<TopicObject> {
  const found = await topicObjects(kube, name, cluster)
  if (found.length === 1) return found[0]!
  const place = `namespace ${kube.namespace} of ${kube.context}`
  if (found.length === 0) throw new CliError(`there is no Topic for ${name} in ${place}`, exitCodes.notFound)
  throw new CliError(`several Topics of ${place} speak of ${name}; choose with --cluster or delete one with kubectl: ` +
    found.map(each => `${each.metadata.name} (cluster ${each.spec.cluster})`).join(', '), exitCodes.usage)
}

async function confirm (question: string, yes: boolean): Promise<void> {
  if (yes) return
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CliError(`${question}? Nobody to ask here: repeat it with --yes`, exitCodes.usage)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`% ${question}? [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('nothing was deleted')
  } finally {
    terminal.close()
  }
}

/** Sets the policy Delete and waits until the operator holds on to the object for it. */
async function commitToDelete (kube: Kube, topic: TopicObject, timeoutMs: number): Promise<void> {
  const { name, resourceVersion } = topic.metadata
  if (topic.spec.deletePolicy !== 'Delete') {
    await kube.reach(() => kube.api.patch(kinds.topic, kube.namespace, name, {
      metadata: { resourceVersion }, spec: { deletePolicy: 'Delete' }
    }))
  }
  const waiting = new WaitingNotes()
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const now = await kube.reach(() => kube.api.get(kinds.topic, kube.namespace, name))
    if (now === undefined || now.metadata.finalizers?.includes(finalizer) === true) return
    if (performance.now() + pollMs > deadline) {
      throw new CliError(`the operator did not take note within ${timeoutMs / 1_000} s that the records of ${name} ` +
        'are to be deleted; nothing was deleted. Does the operator run?', exitCodes.unavailable)
    }
    waiting.waiting('the operator to take note that the records are to be deleted')
    await pause(pollMs)
  }
}

async function untilGone (kube: Kube, topic: TopicObject, timeoutMs: number): Promise<void> {
  const waiting = new WaitingNotes()
  const deadline = performance.now() + timeoutMs
  const { name, uid } = topic.metadata
  for (;;) {
    const left = await kube.reach(() => kube.api.get(kinds.topic, kube.namespace, name))
    if (left === undefined || left.metadata.uid !== uid) return
    if (performance.now() + pollMs > deadline) {
      throw new CliError(`Topic ${name} is marked as deleted, but was not gone within ${timeoutMs / 1_000} s; ` +
        `kubectl describe mrt/${name} says why`, exitCodes.unavailable)
    }
    waiting.waiting(`the records of ${name} to be deleted`)
    await pause(pollMs)
  }
}
