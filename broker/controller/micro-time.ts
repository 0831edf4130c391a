// MicroTime of the Kubernetes API (k8s.io/apimachinery/pkg/apis/meta/v1 MicroTime): RFC 3339 in UTC with
// exactly six digits of a second; a server answers 400 to three.

/** `wallTimeMs`: milliseconds since 1970. */
export function microTime (wallTimeMs: number): string {
  const days = Math.floor(wallTimeMs / 86_400_000)
  const inDay = wallTimeMs - days * 86_400_000
  const { year, month, day } = civil(days)
  const seconds = Math.floor(inDay / 1000)
  const micros = Math.floor((inDay - seconds * 1000) * 1000)
  const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(n => pad(n, 2)).join(':')
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${time}.${pad(micros, 6)}Z`
}

/** Days since 1970 to the Gregorian date, in years that begin in March, so that leap days come last. */
function civil (days: number): { year: number, month: number, day: number } {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) -
    Math.floor(dayOfEra / 146_096)) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return { year, month, day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1 }
}

function pad (number: number, width: number): string {
  return String(number).padStart(width, '0')
}
