// A part of the machine's cgroups for each node, in version 1 (a tree for each controller) and version 2 (one tree).
import { access, mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const root = '/sys/fs/cgroup'
const controllers = ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'systemd', 'hugetlb']

async function isUnified (): Promise<boolean> {
  return await access(join(root, 'cgroup.controllers')).then(() => true, () => false)
}

async function trees (): Promise<string[]> {
  if (await isUnified()) return [root]
  const present = await readdir(root)
  return controllers.filter(name => present.includes(name)).map(name => join(root, name))
}

/** @param name of the part, directly below the root */
export async function makeCgroup (name: string): Promise<void> {
  for (const tree of await trees()) {
    const folder = join(tree, name)
    await mkdir(folder, { recursive: true })
    if (!tree.endsWith('/cpuset')) continue
    // Empty at first, and then nothing may run in it.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      await writeFile(join(folder, file), await readFile(join(tree, file), 'utf8'))
    }
  }
  if (await isUnified()) {
    const available = (await readFile(join(root, 'cgroup.controllers'), 'utf8')).trim().split(' ')
    await writeFile(join(root, 'cgroup.subtree_control'), available.map(each => `+${each}`).join(' '))
  }
}

/** Takes it away with all that is empty below, in every tree: runc has used them all. What is busy is left. */
export async function removeCgroup (name: string): Promise<void> {
  const all = await isUnified() ? [root] : (await readdir(root)).map(tree => join(root, tree))
  for (const tree of all) await removeTree(join(tree, name))
}

async function removeTree (folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name))
  await rmdir(folder).catch(() => { /* busy, or gone already */ })
}
