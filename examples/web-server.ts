// A web server that takes orders. 201 says that the order is on disk on every replica in sync.
//
//   node_modules/.bin/node examples/web-server.ts [broker host:port] [port]
//   curl -d '{"id":"a1","customer":"7","item":"coffee","cents":250}' http://127.0.0.1:8080/orders
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Millrace, MillraceError, serdes } from '../client/index.ts'
import type { Order } from './order.ts'
import { orderOf } from './order.ts'

const [bootstrap = '127.0.0.1:9090', port = '8080'] = process.argv.slice(2)
const bodyBytesMax = 65_536

const client = new Millrace({ bootstrap })
// Whoever asked does not wait for two minutes, as a producer would by itself.
const producer = client.producer({ key: serdes.string, value: serdes.json<Order>(), deliveryTimeoutMs: 10_000 })

async function bodyOf (request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > bodyBytesMax) throw new RangeError(`more than ${bodyBytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

async function take (request: IncomingMessage, response: ServerResponse): Promise<void> {
  const say = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
    // Who asks again after the word to stop is to ask another server.
    const connection = server.listening ? {} : { connection: 'close' }
    response.writeHead(status, { 'content-type': 'application/json', ...connection, ...headers })
    response.end(JSON.stringify(body))
  }
  if (request.method !== 'POST' || request.url !== '/orders') {
    say(404, { error: 'POST /orders' })
    return
  }
  let order: Order
  try {
    order = orderOf(JSON.parse(await bodyOf(request)))
  } catch (error) {
    say(400, { error: String(error) })
    return
  }
  try {
    const { partition, offset } = await producer.send({ topic: 'orders', key: order.customer, value: order })
    say(201, { partition, offset })
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    // After TIMED_OUT the order may be there all the same: whoever asks again says the same id, and who
    // reads the orders knows them by it.
    if (error.retriable) say(503, { error: error.message, code: error.code }, { 'retry-after': '1' })
    else say(500, { error: error.message, code: error.code, help: error.help })
  }
}

const server = createServer((request, response) => {
  take(request, response).catch((error: unknown) => {
    console.error(error)
    response.destroy()
  })
})
server.listen(Number(port), '127.0.0.1', () => { console.log(`taking orders at http://127.0.0.1:${port}/orders`) })

// First no more requests, then what was accepted is sent: close says what was lost, which is nothing.
process.once('SIGTERM', () => {
  server.close(() => {
    client.close().then(lost => { console.log(`closed, lost ${JSON.stringify(lost)}`) }, (error: unknown) => {
      console.error(error)
      process.exitCode = 1
    })
  })
  server.closeIdleConnections()
})
