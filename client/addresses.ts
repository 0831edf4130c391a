// Bootstrap addresses as people write them.
import { errorOf } from './errors.ts'
import { bootstrapAddressesMax } from './limits.ts'

/**
 * 'host:port,host:port' or an array of them, as addresses. IPv6 hosts are written in brackets.
 * @throws MillraceError INVALID_REQUEST.
 */
export function parseBootstrap (bootstrap: string | readonly string[]): string[] {
  const parts = (typeof bootstrap === 'string' ? bootstrap.split(',') : [...bootstrap])
    .map(part => part.trim())
    .filter(part => part !== '')
  if (parts.length === 0 || parts.length > bootstrapAddressesMax) {
    throw errorOf('INVALID_REQUEST',
      `bootstrap names ${parts.length} addresses; 1 to ${bootstrapAddressesMax} are wanted`)
  }
  for (const part of parts) {
    const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s/]+):(\d{1,5})$/.exec(part)
    const port = Number(match?.[2] ?? 0)
    if (port < 1 || port > 65_535) throw errorOf('INVALID_REQUEST', `bootstrap address '${part}' is not host:port`)
  }
  return [...new Set(parts)]
}
