import type { Rng } from '../../wire/ports.ts'

/** The middle of every range; hex counts up. */
export function fakeRng (): Rng {
  let count = 0
  return {
    integer: max => Math.floor(max / 2),
    fraction: () => 0.5,
    hex: length => (++count).toString(16).padStart(length, '0')
  }
}
