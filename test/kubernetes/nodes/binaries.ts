// CoreDNS and pause, built once with Go and kept outside of the checkout.
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeImage } from '../../../image/oci.ts'
import { cachedPrograms } from '../build.ts'

const here = import.meta.dirname

export interface NodeBinaries {
  readonly dns: string
  /** An image: what holds the namespaces of a pod. */
  readonly pauseImage: string
}

export const pauseName = 'localhost/pause:1'

export async function nodeBinaries (arch: string): Promise<NodeBinaries> {
  const sources = ['go.mod', 'go.sum', 'dns/main.go', 'pause/main.go']
  const folder = await cachedPrograms(here, sources, ['./dns', './pause'],
    'CoreDNS: two minutes on two cores when nothing is cached')
  const pauseImage = join(folder, 'pause.tar')
  const work = await mkdtemp(join(tmpdir(), 'millrace-pause-'))
  try {
    await mkdir(join(work, 'root'))
    await cp(join(folder, 'pause'), join(work, 'root/pause'))
    await writeImage({
      name: pauseName, arch, out: pauseImage, layers: [{ about: 'pause', folder: join(work, 'root') }],
      entrypoint: ['/pause'], env: [], user: '65535:65535', workingDir: '/', labels: {}
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return { dns: join(folder, 'dns'), pauseImage }
}
