// Sets the project up once: installs what package-lock.json names, Node 24 among it. Runs on any Node from
// 20 on, with nothing installed. Used by start.mjs and test.mjs; `node scripts/setup.mjs` does it alone.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
/** Node 24, brought along as a package: the sources run on it as they are. */
export const node = join(root, 'node_modules/node/bin/node')
const nodeMajorMin = 24
/** Where Node keeps what it has compiled; bin/millrace uses the same. */
const cache = process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules/.cache/millrace')
const lockfile = join(root, 'package-lock.json')
const stamp = join(root, 'node_modules/.millrace-setup')
const lockWaitMs = 200
const sameRunMs = 5_000

/** What keeps the project from being set up, in one line. */
export class SetupError extends Error {}

function lockfileHash () {
  return createHash('sha256').update(readFileSync(lockfile)).digest('hex')
}

/** Is what is installed what package-lock.json names? */
function isCurrent () {
  if (!existsSync(node)) return false
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockfileHash()) return true
  // Installed by hand: npm writes both files at the end of the same run.
  const installed = join(root, 'node_modules/.package-lock.json')
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs - sameRunMs
}

function checkNode () {
  const { status, stdout, error } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  const major = Number(/^v(\d+)\./.exec(stdout ?? '')?.[1])
  if (status === 0 && major >= nodeMajorMin) return
  const how = error?.message ?? (stdout || `exit code ${status}`).trim()
  throw new SetupError(`the Node that npm installed does not run (${how}); were install scripts switched off?`)
}

/** A lock of one process at a time on this folder, outside of node_modules, which `npm ci` deletes. */
const lock = join(tmpdir(), `millrace-setup-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`)

function takeLock () {
  try {
    mkdirSync(lock)
    writeFileSync(join(lock, 'pid'), String(process.pid))
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (!isHolderAlive()) {
      // One of several that see it renames it.
      const stale = `${lock}.${process.pid}`
      try {
        renameSync(lock, stale)
        rmSync(stale, { recursive: true, force: true })
      } catch {
        // Another was quicker.
      }
    }
    return false
  }
}

function isHolderAlive () {
  try {
    const pid = Number(readFileSync(join(lock, 'pid'), 'utf8'))
    if (pid > 0) process.kill(pid, 0)
    return true
  } catch (error) {
    if (error.code === 'EPERM') return true
    // Made a moment ago, its pid not written yet?
    return error.code === 'ENOENT' && existsSync(lock) && Date.now() - statSync(lock).mtimeMs < 2_000
  }
}

async function install () {
  // npm says where it is when it has started us.
  const npm = process.env.npm_execpath
  const [command, args] = npm !== undefined && npm.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  const child = spawn(command, [...args, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root, stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  const keep = chunk => { output = (output + chunk).slice(-4_000) }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const end = signal => { child.kill(signal) }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  const [code, signal] = await new Promise((resolve, reject) => {
    child.on('error', error => { reject(new SetupError(`npm cannot be started: ${error.message}`)) })
    child.on('close', (...how) => { resolve(how) })
  })
  process.off('SIGINT', end)
  process.off('SIGTERM', end)
  if (signal !== null) throw new SetupError('the setup was interrupted')
  if (code !== 0) throw new SetupError(`npm ci failed:\n${output.trim()}`)
}

/** Without it everything works too, a little later. */
function compile () {
  const { status, stderr } = spawnSync(node, [join(root, 'scripts/compile.mjs')], {
    cwd: root, encoding: 'utf8', env: { ...process.env, NODE_COMPILE_CACHE: cache }
  })
  if (status !== 0) process.stderr.write(`% compiling ahead failed: ${stderr}`)
}

/** Resolves when the project is ready to run. Rejects with SetupError. */
export async function setUp () {
  if (isCurrent()) return
  let told = false
  while (!takeLock()) {
    if (!told) process.stderr.write('% another process is setting the project up; waiting for it\n')
    told = true
    await new Promise(resolve => setTimeout(resolve, lockWaitMs))
  }
  try {
    if (isCurrent()) return
    process.stderr.write('% setting up, once: npm ci ...\n')
    const startedAt = Date.now()
    await install()
    checkNode()
    compile()
    writeFileSync(stamp, lockfileHash())
    process.stderr.write(`% set up in ${((Date.now() - startedAt) / 1000).toFixed(0)} s\n`)
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

/**
 * Sets up, then runs a program on Node 24 and ends with its exit code. Signals are passed on; so is the end
 * of npm, when that started us and is gone without a word.
 */
export async function run (file, args) {
  try {
    await setUp()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`% error: ${error.message}\n`)
    process.exit(1)
  }
  const child = spawn(node, [join(root, file), ...args], {
    stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: cache, MILLRACE_PARENT: String(process.pid) }
  })
  let told = false
  const tell = signal => {
    if (!told) child.kill(signal)
    told = true
  }
  process.on('SIGINT', tell)
  process.on('SIGTERM', tell)
  process.on('SIGHUP', () => { tell('SIGTERM') })
  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid
    setInterval(() => { if (process.ppid !== parent) tell('SIGTERM') }, 500).unref()
  }
  child.on('error', error => {
    process.stderr.write(`% error: ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => { process.exit(signal === null ? code : 1) })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setUp().catch(error => {
    process.stderr.write(`% error: ${error.message}\n`)
    process.exit(1)
  })
}
