import { WireError } from '../errors.ts'

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
