// What a volume may be told to do otherwise than limits.ts says; tests and the simulator use small ones.
import * as limits from '../limits.ts'

const KiB = 1024
const MiB = 1024 * KiB

export interface VolumeSettings {
  /** Size of a journal file, written with zeros beforehand. */
  readonly journalFileBytes: number
  /** Size of the first file after an opening: small, so that start-up does not wait for it. */
  readonly journalFirstFileBytes: number
  /** One group commit. */
  readonly frameBytesMax: number
  /** Journal bytes after which a checkpoint begins; bounds what recovery reads. */
  readonly checkpointBytes: number
  /** A checkpoint is made after so long even if little was written. */
  readonly checkpointMs: number
  /** Bytes that wait in memory for their segments before the writer begins. */
  readonly writeBehindBytes: number
  /** Recent batches kept in memory, all replicas together. */
  readonly ringBytesMax: number
  /** A quiet journal gets a mark frame after this. */
  readonly markAfterMs: number
  readonly segmentAgeMsMax: number
  readonly indexIntervalBytes: number
  /** One read of a segment file. */
  readonly coldReadBytesMax: number
  /** Reads of segment files at once. */
  readonly coldReadsMax: number
  /** Below so much free space appends are refused. */
  readonly reserveBytes: number
  /** Below such a share of the volume, or twice the reserve, space is low. */
  readonly lowSpaceShare: number
  /** What is kept in stray/ and damaged/ at least. */
  readonly strayMs: number
}

export const defaultSettings: VolumeSettings = {
  journalFileBytes: limits.journalFileBytes,
  journalFirstFileBytes: 1 * MiB,
  frameBytesMax: limits.frameBytesMax,
  checkpointBytes: 32 * MiB,
  checkpointMs: 30_000,
  writeBehindBytes: 16 * MiB,
  ringBytesMax: limits.ringBytesMax,
  markAfterMs: 50,
  segmentAgeMsMax: limits.segmentAgeMsMax,
  indexIntervalBytes: limits.indexIntervalBytes,
  coldReadBytesMax: limits.coldReadBytesMax,
  coldReadsMax: limits.coldReadsMax,
  // Three journal files and the segments of what they hold.
  reserveBytes: 4 * limits.journalFileBytes,
  lowSpaceShare: limits.lowSpaceShare,
  strayMs: 7 * 24 * 3600 * 1000
}
