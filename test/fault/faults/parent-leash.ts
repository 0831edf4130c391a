// Loaded before a program that launch.ts becomes: ends it when its parent is gone. (The pipe of local/leash.ts
// does not pass through execve: Node marks every descriptor but the first three close-on-exec.)
const askedMs = 500
const stopMsMax = 2_000
const parent = process.ppid

const timer = setInterval(() => {
  if (process.ppid === parent) return
  clearInterval(timer)
  setTimeout(() => { process.exit(1) }, stopMsMax).unref()
  process.kill(process.pid, 'SIGTERM')
}, askedMs)
timer.unref()
