// meta.json: whose volume this is. The only file that people may want to read; format 1:
//   {"format":1,"clusterUid":"...","brokerId":0,"volumeId":"16 hex","bootCount":1,
//    "boots":[{"brokerEpoch":1,"incarnation":"16 hex"}],"crc32c":"8 hex"}
// crc32c is that of the same object without it: a flipped bit must not make another identity of this one.
import type { Disk } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import { utf8 } from '../../wire/bytes.ts'
import { crc32c } from '../../wire/crc32c.ts'
import { WireError } from '../../wire/errors.ts'
import { writeAtomically } from './atomic-file.ts'
import * as limits from '../limits.ts'
import type { Boot, VolumeMeta } from './contract.ts'

export const metaPath = 'meta.json'
/** Left by a volume whose write or fsync failed: it must not be served again. */
export const failedPath = 'failed.json'
const FORMAT = 1
const BYTES_MAX = 64 * 1024

export type FoundMeta = VolumeMeta | 'missing' | 'broken'

/** @throws WireError VOLUME_VERSION, WRONG_CLUSTER. */
export async function readMeta (disk: Disk, clusterUid: string, brokerId: number): Promise<FoundMeta> {
  const bytes = await readIfThere(disk, metaPath)
  if (bytes === undefined) return 'missing'
  const found = parse(bytes)
  if (found === undefined) return 'broken'
  const { crc32c: stated, ...contents } = found
  // Every version has to keep the checksum as it is, so that its format can be trusted.
  if (stated !== checksumOf(contents)) return 'broken'
  if (found['format'] !== FORMAT) {
    throw new WireError('VOLUME_VERSION', `the volume has format ${String(found['format'])}, not ${FORMAT}`)
  }
  const { clusterUid: cluster, brokerId: broker, volumeId, bootCount, boots = [] } = found
  if (typeof cluster !== 'string' || typeof volumeId !== 'string' || typeof broker !== 'number' ||
    typeof bootCount !== 'number' || !areBoots(boots)) return 'broken'
  if (cluster !== clusterUid) {
    throw new WireError('WRONG_CLUSTER', `the volume belongs to cluster ${cluster}, not to ${clusterUid}`)
  }
  if (broker !== brokerId) {
    throw new WireError('WRONG_CLUSTER', `the volume belongs to broker ${broker}, not to broker ${brokerId}`)
  }
  return { clusterUid: cluster, brokerId: broker, volumeId, bootCount, boots }
}

function areBoots (value: unknown): value is Boot[] {
  return Array.isArray(value) && value.length <= limits.bootsKept && value.every((boot: Partial<Boot> | null) =>
    typeof boot?.brokerEpoch === 'number' && typeof boot.incarnation === 'string')
}

export async function writeMeta (disk: Disk, meta: VolumeMeta): Promise<void> {
  const contents = { format: FORMAT, ...meta }
  const text = JSON.stringify({ ...contents, crc32c: checksumOf(contents) })
  await writeAtomically(disk, metaPath, [utf8(`${text}\n`)])
}

function checksumOf (contents: Record<string, unknown>): string {
  return crc32c(utf8(JSON.stringify(contents))).toString(16).padStart(8, '0')
}

/** @throws WireError VOLUME_FAILED when an earlier process left the marker. */
export async function refuseFailed (disk: Disk): Promise<void> {
  const bytes = await readIfThere(disk, failedPath)
  if (bytes === undefined) return
  const reason = String(parse(bytes)?.['reason'] ?? 'unknown')
  throw new WireError('VOLUME_FAILED', `the volume failed before and may hold less than was acknowledged: ${reason}`)
}

/** Best effort, on a volume that just failed. */
export async function leaveMarker (disk: Disk, reason: string): Promise<void> {
  await writeAtomically(disk, failedPath, [utf8(`${JSON.stringify({ reason })}\n`)])
}

async function readIfThere (disk: Disk, path: string): Promise<Uint8Array | undefined> {
  try {
    return await disk.read(path, BYTES_MAX)
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'not-found') return undefined
    throw error
  }
}

function parse (bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : undefined
  } catch {
    return undefined
  }
}
