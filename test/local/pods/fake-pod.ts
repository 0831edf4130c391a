// A pod's program for tests: answers health over HTTP, says its name to who connects, does as told.
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'

const { FAKE_MODE, MILLRACE_POD_NAME = '', MILLRACE_DATA = '' } = process.env
const portOf = (name: string): number => Number(process.env[`MILLRACE_LISTEN_${name}`]?.split(':')[1])

console.log(`env ${JSON.stringify(process.env)}`)
if (FAKE_MODE === 'crash') process.exit(3)

const lives = join(MILLRACE_DATA, 'lives')
writeFileSync(lives, 'x', { flag: 'a' })

createServer((request, response) => {
  const ready = request.url === '/livez' || !existsSync(join(MILLRACE_DATA, 'unready'))
  response.writeHead(ready ? 200 : 503).end()
}).listen(portOf('METRICS'), '127.0.0.1')

createTcpServer(socket => {
  socket.on('error', () => {})
  socket.write(MILLRACE_POD_NAME)
  socket.on('data', data => {
    if (data.toString() === 'crash') process.exit(3)
    socket.write(data)
  })
}).listen(portOf('CLIENT'), '127.0.0.1')

process.on('SIGTERM', () => {
  console.log('told to stop')
  if (FAKE_MODE !== 'stubborn') process.exit(0)
})
