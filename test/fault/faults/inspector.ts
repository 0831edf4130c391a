// Makes a running Node process busy from outside: Node opens its inspector on SIGUSR1
// (https://nodejs.org/api/process.html#signal-events), and through it an endless loop is evaluated.
import { pause } from './clock.ts'

const openedMsMax = 3_000

async function socketUrl (port: number): Promise<string | undefined> {
  const deadline = performance.now() + openedMsMax
  while (performance.now() < deadline) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/json/list`, { signal: AbortSignal.timeout(1_000) })
      const [target] = await answer.json() as { webSocketDebuggerUrl: string }[]
      return target?.webSocketDebuggerUrl
    } catch {
      await pause(50)
    }
  }
  return undefined
}

/** False when the process could not be reached. Resolves when the loop was asked for. */
export async function blockEventLoop (pid: number, port: number, lastsMs: number): Promise<boolean> {
  try {
    process.kill(pid, 'SIGUSR1')
  } catch {
    return false
  }
  const url = await socketUrl(port)
  if (url === undefined) return false
  const socket = new WebSocket(url)
  return await new Promise(resolve => {
    socket.onerror = () => { resolve(false) }
    socket.onopen = () => {
      const expression = `for (const end = performance.now() + ${lastsMs}; performance.now() < end;);`
      socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }))
      resolve(true)
    }
    // When the loop has ended, or with its process.
    socket.onmessage = () => { socket.close() }
  })
}
