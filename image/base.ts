// The file system below the program, where no registry gives one: Node of the lock file and the C libraries of this
// machine. It serves tests; what is published is built on distroless by the Dockerfile.
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const node = join(import.meta.dirname, '../node_modules/node/bin/node')
/** Where distroless has it. */
export const nodePath = '/nodejs/bin/node'
/** distroless "nonroot". */
export const userId = 65532
const certificates = '/etc/ssl/certs/ca-certificates.crt'

/** @param folder emptied first */
export function makeBase (folder: string): void {
  if (process.platform !== 'linux') throw new Error('a base is made of this machine: it must run Linux')
  rmSync(folder, { recursive: true, force: true })
  for (const each of ['etc/ssl/certs', 'tmp', 'home/nonroot', dirname(nodePath)]) {
    mkdirSync(join(folder, each), { recursive: true })
  }
  cpSync(node, join(folder, nodePath))
  for (const library of librariesOf(node)) {
    const target = join(folder, library)
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(realpathSync(library), target)
  }
  writeFileSync(join(folder, 'etc/passwd'),
    `root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:${userId}:${userId}:nonroot:/home/nonroot:/sbin/nologin\n`)
  writeFileSync(join(folder, 'etc/group'), `root:x:0:\nnonroot:x:${userId}:\n`)
  // Names are asked of DNS after /etc/hosts, which is where a pod finds its own.
  writeFileSync(join(folder, 'etc/nsswitch.conf'), 'hosts: files dns\n')
  if (existsSync(certificates)) cpSync(realpathSync(certificates), join(folder, certificates))
}

/** Paths of the shared libraries of a program, its loader and what the C library loads by itself. */
function librariesOf (program: string): string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' })
  const named = [...text.matchAll(/(\/\S+) \(0x/g)].map(match => match[1]!)
  const beside = dirname(named.find(path => path.endsWith('/libc.so.6')) ?? '/lib')
  const lookup = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'].map(name => join(beside, name))
  return [...named, ...lookup.filter(path => existsSync(path) && !named.includes(path))].sort()
}
