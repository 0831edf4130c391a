// Where bits flip: anywhere in a file, but not in the newest bytes of the journal. A torn write and a flipped
// bit look alike there, and the last frame has none after it to bear witness (docs/guarantees.md).
import type { SimDisk } from './disk.ts'
import type { SimRng } from './rng.ts'

/** More than a frame or two. */
const newestBytes = 24 * 1024

/** False when the file has nothing that could be flipped. */
export function flipBit (disk: SimDisk, path: string, rng: SimRng): boolean {
  const bytes = disk.contents(path)
  let end = bytes.length
  // Journal files are made whole, then filled: what follows is zeros.
  while (end > 0 && bytes[end - 1] === 0) end--
  if (path.startsWith('journal/')) end -= newestBytes
  if (end <= 0) return false
  disk.flipBit(path, rng.integer(end))
  return true
}
