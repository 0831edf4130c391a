// metav1.Time and metav1.MicroTime. A MicroTime has exactly six fractional digits: a JavaScript
// date, which has three, is refused by a real API server, and here.

const timePattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2})$/
const microPattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})\.(\d{6})(Z|[+-]\d{2}:\d{2})$/
const microLayout = '2006-01-02T15:04:05.000000Z07:00'
const timeLayout = '2006-01-02T15:04:05Z07:00'

function failure (text: string, layout: string, at: string, element: string): string {
  return `parsing time ${JSON.stringify(text)} as ${JSON.stringify(layout)}: ` +
    `cannot parse ${JSON.stringify(at)} as ${JSON.stringify(element)}`
}

/** Seconds in UTC, `2026-01-02T03:04:05Z`, or why not. */
export function normalTime (text: string): { value: string } | { error: string } {
  const match = timePattern.exec(text)
  const milliseconds = match === null ? NaN : Date.parse(text.replace(match[7] ?? '', ''))
  if (Number.isNaN(milliseconds)) return { error: failure(text, timeLayout, text, '2006') }
  return { value: formatTime(milliseconds) }
}

/** Microseconds in UTC, or why not. */
export function normalMicroTime (text: string): { value: string } | { error: string } {
  const match = microPattern.exec(text)
  if (match === null) {
    const head = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}/.exec(text)?.[0]
    return {
      error: head === undefined
        ? failure(text, microLayout, text, '2006')
        : failure(text, microLayout, text.slice(head.length), '.000000')
    }
  }
  const milliseconds = Date.parse(text.replace(`.${match[7]}`, ''))
  if (Number.isNaN(milliseconds)) return { error: failure(text, microLayout, text, '2006') }
  return { value: formatTime(milliseconds).replace('Z', `.${match[7]}Z`) }
}

/** Milliseconds since 1970 → `2026-01-02T03:04:05Z`. */
export function formatTime (milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z')
}
