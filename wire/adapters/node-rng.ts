// Rng over the operating system's randomness.
import { randomBytes } from 'node:crypto'
import type { Rng } from '../ports.ts'

const fractionBits = 53

export class NodeRng implements Rng {
  integer (exclusiveMax: number): number {
    if (!(Number.isInteger(exclusiveMax) && exclusiveMax > 0 && exclusiveMax <= 2 ** fractionBits)) {
      throw new RangeError(`no integer below ${exclusiveMax}`)
    }
    return Math.floor(this.fraction() * exclusiveMax)
  }

  fraction (): number {
    return Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** fractionBits
  }

  hex (length: number): string {
    return randomBytes(length).toString('hex')
  }
}
