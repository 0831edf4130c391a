// Ports on 127.0.0.1 below the range that the operating system takes outgoing ports from, so that a port
// stays free between two lives of a pod.
import { createServer } from 'node:net'
import { address } from './types.ts'

const portMin = 20_000
const portMax = 32_000

const given = new Set<number>()

export async function isFree (port: number): Promise<boolean> {
  return await new Promise(resolve => {
    const server = createServer()
    server.once('error', () => { resolve(false) })
    server.listen({ host: address, port, exclusive: true }, () => { server.close(() => { resolve(true) }) })
  })
}

/** A port that is free now and that this process has not given to anybody else. */
export async function freePort (): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin))
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port between ${portMin} and ${portMax} on ${address}`)
}

/** Keeps what was taken before where it is still free. */
export async function choosePorts (names: readonly string[],
  before: Readonly<Record<string, number>>): Promise<Record<string, number>> {
  const ports: Record<string, number> = {}
  for (const name of names) {
    const old = before[name]
    const isOurs = old !== undefined && await isFree(old)
    if (isOurs) given.add(old)
    ports[name] = isOurs ? old : await freePort()
  }
  return ports
}
