// The thread of sync-reads.ts: a path in, the answer of the API server out.
import { Agent, request } from 'node:https'
import { workerData, type MessagePort } from 'node:worker_threads'

const { target, port, answers } = workerData as {
  target: { url: string, ca?: string, cert?: string, key?: string }, port: MessagePort, answers: Int32Array
}
const { ca, cert, key } = target
const agent = new Agent({
  keepAlive: true, ...ca !== undefined && { ca }, ...cert !== undefined && { cert }, ...key !== undefined && { key }
})

function answer (reply: object): void {
  port.postMessage(reply)
  Atomics.add(answers, 0, 1)
  Atomics.notify(answers, 0)
}

port.on('message', (path: string) => {
  const asked = request(new URL(path, target.url), { agent, headers: { accept: 'application/json' } }, response => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    response.on('end', () => { answer({ status: response.statusCode, text: Buffer.concat(chunks).toString() }) })
  })
  asked.on('error', error => { answer({ error: error.message }) })
  asked.end()
})
