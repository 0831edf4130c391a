// An image as the OCI image format has it, in one tar archive, made with tar and SHA-256 only.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface Layer {
  /** What it is, for `docker history`. */
  readonly about: string
  /** Becomes the root of the file system. */
  readonly folder: string
}

export interface ImageOptions {
  /** Such as example.com/millrace:0.1.0. */
  readonly name: string
  /** As in Go's names: amd64 or arm64. */
  readonly arch: string
  readonly layers: readonly Layer[]
  readonly entrypoint: readonly string[]
  readonly env: readonly string[]
  readonly user: string
  readonly workingDir: string
  readonly labels: Readonly<Record<string, string>>
  /** The archive; replaced as a whole. */
  readonly out: string
}

export interface MadeImage {
  /** Of the manifest: what `image@sha256:...` names. */
  readonly digest: string
  /** Of all layers, not compressed. */
  readonly bytes: number
}

interface Descriptor { readonly mediaType: string, readonly digest: string, readonly size: number }

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar'
}
/** Nothing in an image says when it was made, else the same source would give another digest each time. */
const created = '1970-01-01T00:00:00Z'

export async function writeImage (options: ImageOptions): Promise<MadeImage> {
  const work = `${options.out}.${process.pid}`
  rmSync(work, { recursive: true, force: true })
  mkdirSync(join(work, 'blobs/sha256'), { recursive: true })
  try {
    const layers: Descriptor[] = []
    for (const { folder } of options.layers) layers.push(await addLayer(work, folder))
    const config = addJson(work, types.config, configOf(options, layers))
    const manifest = addJson(work, types.manifest, {
      schemaVersion: 2, mediaType: types.manifest, config, layers, annotations: options.labels
    })
    const named = {
      'io.containerd.image.name': options.name,
      'org.opencontainers.image.ref.name': options.name.slice(options.name.lastIndexOf(':') + 1)
    }
    writeFileSync(join(work, 'index.json'),
      JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [{ ...manifest, annotations: named }] }))
    writeFileSync(join(work, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
    mkdirSync(dirname(options.out), { recursive: true })
    archive(work, `${work}.tar`)
    renameSync(`${work}.tar`, options.out)
    return { digest: manifest.digest, bytes: layers.reduce((sum, { size }) => sum + size, 0) }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function configOf (options: ImageOptions, layers: readonly Descriptor[]): object {
  return {
    architecture: options.arch,
    os: 'linux',
    created,
    config: {
      User: options.user,
      Env: options.env,
      Entrypoint: options.entrypoint,
      WorkingDir: options.workingDir,
      Labels: options.labels
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: options.layers.map(({ about }) => ({ created, created_by: about }))
  }
}

async function addLayer (work: string, folder: string): Promise<Descriptor> {
  const file = join(work, 'layer.tar')
  archive(folder, file)
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(file)) hash.update(bytes as Buffer)
  const digest = hash.digest('hex')
  const { size } = statSync(file)
  renameSync(file, join(work, 'blobs/sha256', digest))
  return { mediaType: types.layer, digest: `sha256:${digest}`, size }
}

function addJson (work: string, mediaType: string, content: object): Descriptor {
  const text = JSON.stringify(content)
  const digest = createHash('sha256').update(text).digest('hex')
  writeFileSync(join(work, 'blobs/sha256', digest), text)
  return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(text) }
}

/** Sorted, without owners and times: the same files give the same bytes. */
function archive (folder: string, file: string): void {
  execFileSync('tar', ['--sort=name', '--format=gnu', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner',
    '--mode=u+rw,go+rX,go-w', '-C', folder, '-cf', file, '.'], { stdio: ['ignore', 'inherit', 'inherit'] })
}
