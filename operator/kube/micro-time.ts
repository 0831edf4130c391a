/**
 * metav1.MicroTime: six fractional digits. A JavaScript date has three, and a real API server answers
 * 400 to those in Leases and Events.
 */
export function microTime (wallTimeMs: number): string {
  return new Date(wallTimeMs).toISOString().replace('Z', '000Z')
}

/** metav1.Time: whole seconds. */
export function wholeSeconds (wallTimeMs: number): string {
  return new Date(wallTimeMs).toISOString().replace(/\.\d+Z/, 'Z')
}
