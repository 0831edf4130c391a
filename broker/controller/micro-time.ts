// MicroTime of the Kubernetes API (k8s.io/apimachinery/pkg/apis/meta/v1 MicroTime): RFC 3339 in UTC with
// exactly six digits of a second; a server answers 400 to three.

/** `wallTimeMs`: whole milliseconds since 1970. */
export function microTime (wallTimeMs: number): string {
  // eslint-disable-next-line no-restricted-globals -- formats the time given; never asks for the time now
  return new Date(wallTimeMs).toISOString().replace('Z', '000Z')
}
