// Reads that are answered before the next statement, as the embedded API gives them to tests in its process: a
// thread of its own asks, this one stands still meanwhile.
import { once } from 'node:events'
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads'
import type { Target } from '../../local/kube/client.ts'

const waitMsMax = 20_000

export interface SyncReply { readonly status: number, readonly text: string }

export class SyncReads {
  readonly #worker: Worker
  readonly #port: MessagePort
  /** How many answers there are. */
  readonly #answers: Int32Array

  private constructor (worker: Worker, port: MessagePort, answers: Int32Array) {
    this.#worker = worker
    this.#port = port
    this.#answers = answers
  }

  static async start (target: Target): Promise<SyncReads> {
    const { port1, port2 } = new MessageChannel()
    const answers = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(new URL('./sync-reads-worker.ts', import.meta.url), {
      workerData: { target, port: port2, answers }, transferList: [port2], execArgv: []
    })
    await once(worker, 'online')
    return new SyncReads(worker, port1, answers)
  }

  get (path: string): SyncReply {
    const before = Atomics.load(this.#answers, 0)
    this.#port.postMessage(path)
    if (Atomics.wait(this.#answers, 0, before, waitMsMax) === 'timed-out') throw new Error(`no answer to ${path}`)
    const reply = receiveMessageOnPort(this.#port)?.message as SyncReply | { readonly error: string }
    if ('error' in reply) throw new Error(`${path}: ${reply.error}`)
    return reply
  }

  async stop (): Promise<void> {
    this.#port.close()
    await this.#worker.terminate()
  }
}
