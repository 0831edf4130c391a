// Volumes as folders: claims keep theirs, ConfigMaps are written out, emptyDirs begin empty.
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubeObject } from '../kube/api.ts'
import { ReconcileQueue } from './reconcile-queue.ts'
import { keyOf } from './types.ts'
import type { Claim, Container, Pod, PodApi, Volume } from './types.ts'

export class Volumes {
  readonly #api: PodApi
  readonly #dataFolder: string
  readonly #claims: ReconcileQueue
  readonly #ends: (() => void)[]
  /** Resolves when no process uses the claim's folder any more. */
  readonly #unused: (claimKey: string) => Promise<void>

  constructor (api: PodApi, dataFolder: string, unused: (claimKey: string) => Promise<void>,
    onError: (key: string, error: unknown) => void) {
    this.#api = api
    this.#dataFolder = dataFolder
    this.#unused = unused
    this.#claims = new ReconcileQueue(key => this.#bind(key), onError)
    this.#ends = [api.watch('persistentvolumeclaims', ({ type, object }) => {
      if (type !== 'DELETED') this.#claims.add(keyOf(object))
      else this.#discard(keyOf(object)).catch((error: unknown) => { onError(keyOf(object), error) })
    })]
  }

  async stop (): Promise<void> {
    for (const end of this.#ends) end()
    await this.#claims.stop()
  }

  /** The folder behind each mountPath of the container, made and filled. Rejects with a one-line Error. */
  async mount (pod: Pod, container: Container): Promise<Record<string, string>> {
    const folders: Record<string, string> = {}
    for (const { name, mountPath } of container.volumeMounts ?? []) {
      const volume = pod.spec.volumes?.find(each => each.name === name)
      if (volume === undefined) throw new Error(`there is no volume ${name}`)
      folders[mountPath] = await this.#folder(pod, volume)
    }
    return folders
  }

  /** Writes a ConfigMap again, which has changed, for a pod that mounts it. */
  async refresh (pod: Pod, configMap: string): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) {
      if (volume.configMap?.name === configMap) await this.#folder(pod, volume)
    }
  }

  /** What a pod had but its claims; a new pod of that name begins without it. */
  async forget (pod: Pod): Promise<void> {
    await rm(this.#podFolder(pod), { recursive: true, force: true })
  }

  #podFolder (pod: Pod): string {
    return join(this.#dataFolder, 'pods', folderName(keyOf(pod)))
  }

  async #folder (pod: Pod, volume: Volume): Promise<string> {
    const { configMap, persistentVolumeClaim, emptyDir } = volume
    const namespace = pod.metadata.namespace ?? 'default'
    if (persistentVolumeClaim !== undefined) {
      const { claimName } = persistentVolumeClaim
      const claim = this.#api.get('persistentvolumeclaims', namespace, claimName) as Claim | undefined
      if (claim?.spec.volumeName === undefined) throw new Error(`the claim ${claimName} is not bound`)
      return this.#claimFolder(`${namespace}/${claimName}`)
    }
    const folder = join(this.#podFolder(pod), volume.name)
    await mkdir(folder, { recursive: true })
    if (configMap !== undefined) {
      const source = this.#api.get('configmaps', namespace, configMap.name)
      if (source === undefined) throw new Error(`there is no ConfigMap ${configMap.name}`)
      await writeConfigMap(source, folder)
    } else if (emptyDir === undefined) throw new Error(`local pods have no volumes of the kind of ${volume.name}`)
    return folder
  }

  #claimFolder (key: string): string {
    return join(this.#dataFolder, 'volumes', folderName(key))
  }

  /** Plays the provisioner: a claim gets a folder of its name, empty at first. */
  async #bind (key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const claim = this.#api.get('persistentvolumeclaims', namespace, name) as Claim | undefined
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) return
    if (claim.spec.volumeName !== undefined && claim.spec.volumeName !== '') return
    const folder = this.#claimFolder(key)
    await this.#unused(key)
    // Left behind by a claim that is gone: it is nobody's, but it is data.
    await mkdir(folder, { recursive: true })
    if ((await readdir(folder)).length > 0) {
      await rename(folder, `${folder}.released-${Date.now()}`)
      await mkdir(folder)
    }
    const { uid } = claim.metadata
    await this.#api.patch('persistentvolumeclaims', namespace, name,
      { metadata: { uid }, spec: { volumeName: `local-${uid}` } })
    const { accessModes = [], resources } = claim.spec
    const status = { phase: 'Bound', accessModes, capacity: resources?.requests ?? {} }
    await this.#api.patch('persistentvolumeclaims', namespace, name, { status }, { subresource: 'status' })
  }

  /** As a volume with reclaim policy Delete. */
  async #discard (key: string): Promise<void> {
    const folder = this.#claimFolder(key)
    await this.#unused(key)
    if (!existsSync(folder)) return
    const gone = `${folder}.deleted-${Date.now()}`
    await rename(folder, gone)
    await rm(gone, { recursive: true, force: true })
  }
}

/** A name of Kubernetes holds no '_'. */
export function folderName (key: string): string {
  return key.startsWith('default/') ? key.slice('default/'.length) : key.replace('/', '_')
}

async function writeConfigMap (source: KubeObject, folder: string): Promise<void> {
  const data = Object.entries((source.data ?? {}) as Record<string, string>)
  const binary = Object.entries((source.binaryData ?? {}) as Record<string, string>)
  for (const [name, text] of data) await replaceFile(join(folder, name), text)
  for (const [name, base64] of binary) await replaceFile(join(folder, name), Buffer.from(base64, 'base64'))
}

async function replaceFile (path: string, contents: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.tmp`, contents)
  await rename(`${path}.tmp`, path)
}
