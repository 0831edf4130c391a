// Loaded before the program of a child (`node --import`), which knows nothing of it: ends the child when
// its parent is gone, however the parent died. The parent holds the other end of a pipe, descriptor 3, and
// never writes to it; the kernel closes it with the parent.
import { Socket } from 'node:net'

/** For a stop that waits for others, which are going too. */
const stopMsMax = 2_000

const leash = new Socket({ fd: 3 })
leash.on('error', () => {})
leash.on('close', () => {
  setTimeout(() => { process.exit(1) }, stopMsMax).unref()
  process.kill(process.pid, 'SIGTERM')
})
leash.resume()
// A child that has nothing left to do may end.
leash.unref()
