// Which process is at the other end of a connection on 127.0.0.1: by the socket's inode, which /proc/net/tcp
// and /proc/<pid>/fd both name. See proc(5).
import { readdir, readFile, readlink } from 'node:fs/promises'

const loopback = '0100007F'

function hex (port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

/** The inode of the socket that is bound to `local` and connected to `remote`, both on 127.0.0.1. */
async function inodeOf (local: number, remote: number): Promise<string | undefined> {
  const wanted = ` ${loopback}:${hex(local)} ${loopback}:${hex(remote)} `
  const text = await readFile('/proc/net/tcp', 'utf8')
  const line = text.split('\n').find(each => each.includes(wanted))
  const inode = line?.trim().split(/\s+/)[9]
  return inode === '0' ? undefined : inode
}

async function holds (pid: number, inode: string): Promise<boolean> {
  const folder = `/proc/${pid}/fd`
  try {
    // The newest descriptors are the likeliest.
    const descriptors = (await readdir(folder)).map(Number).sort((a, b) => b - a)
    for (const descriptor of descriptors) {
      if (await readlink(`${folder}/${descriptor}`).catch(() => '') === `socket:[${inode}]`) return true
    }
  } catch {
    return false // It has ended.
  }
  return false
}

/**
 * The host that dialled, by name.
 * @param port its own, @param at the one that it dialled, @param hosts pids by name
 */
export async function dialerOf (port: number, at: number,
  hosts: ReadonlyMap<string, number>): Promise<string | undefined> {
  const inode = await inodeOf(port, at)
  if (inode === undefined) return undefined
  for (const [name, pid] of hosts) if (await holds(pid, inode)) return name
  return undefined
}
