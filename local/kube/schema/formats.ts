// String formats that a CRD schema may name. A format that is not here is ignored, as a real server
// ignores those that it does not know.
import { isIP, isIPv4, isIPv6 } from 'node:net'

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const dateTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/i
const hostLabel = '[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
const hostname = new RegExp(`^(?=.{1,253}$)${hostLabel}(\\.${hostLabel})*\\.?$`)
const shortName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const longName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
/** time.ParseDuration, and the `22 ns` form. */
const duration = /^[+-]?(0|(\d+(\.\d*)?|\.\d+)\s?(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)\s?(ns|us|µs|ms|s|m|h))*)$/

const checks: Record<string, (value: string) => boolean> = {
  'date-time': value => dateTime.test(value) && !Number.isNaN(Date.parse(value)),
  datetime: value => dateTime.test(value) && !Number.isNaN(Date.parse(value)),
  date: value => /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)),
  duration: value => duration.test(value),
  uuid: value => uuid.test(value),
  ipv4: value => isIPv4(value),
  ipv6: value => isIPv6(value),
  cidr: value => {
    const [address = '', bits = '', ...rest] = value.split('/')
    const version = isIP(address)
    return rest.length === 0 && version !== 0 && /^\d{1,3}$/.test(bits) &&
      Number(bits) <= (version === 4 ? 32 : 128)
  },
  hostname: value => hostname.test(value),
  uri: value => value.startsWith('/') || URL.canParse(value),
  email: value => /^[^\s@]+@[^\s@]+$/.test(value),
  byte: value => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value),
  'k8s-short-name': value => shortName.test(value),
  'k8s-long-name': value => longName.test(value)
}

export function isValidFormat (format: string, value: string): boolean {
  return checks[format]?.(value) ?? true
}
