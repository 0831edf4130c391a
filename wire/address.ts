// Addresses as they are written: host:port, an IPv6 address in brackets.
import { WireError } from './errors.ts'

/** Every address of the machine. */
const anyAddress = '::'

/** Splits host:port; an IPv6 address stands in brackets. Throws WireError INVALID_REQUEST. */
export function parseAddress (address: string): { host: string, port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9._-]+)):(\d{1,5})$/.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) {
    throw new WireError('INVALID_REQUEST', `${JSON.stringify(address.slice(0, 100))} is not an address: host:port`)
  }
  return { host, port }
}

/**
 * The address with its brackets: Kubernetes puts that of a pod into `$(IP):9090` as it is.
 *
 * @throws WireError INVALID_REQUEST
 */
export function withBrackets (address: string): string {
  const [, host, port] = /^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*):(\d{1,5})$/.exec(address) ?? []
  const written = host === undefined ? address : `[${host}]:${port}`
  parseAddress(written)
  return written
}

/** The host as it stands in an address. */
export function bracketed (host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/**
 * What a server is to be told. `[::]:port` is every address of the machine, of IPv4 and of IPv6: Node chooses that when
 * it gets no host, and takes IPv4 alone where the machine has no IPv6.
 *
 * @throws WireError INVALID_REQUEST
 */
export function listenOptions (address: string): { host?: string, port: number } {
  const { host, port } = parseAddress(address)
  return host === anyAddress ? { port } : { host, port }
}
