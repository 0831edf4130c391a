// In which rack a broker is: what the label that spec.topologyKey names says of the node that its pod runs on. Pure.
import { WireError } from '../wire/errors.ts'
import { rackLengthMax } from './limits.ts'

/**
 * @param racks from the ConfigMap: `{"node-1": "hall-a"}`, of the nodes that have the label
 * @param env MILLRACE_NODE_NAME, and MILLRACE_RACK: what the pod itself can know, for a node that is not among them
 * @returns empty when nobody knows
 * @throws WireError INVALID_REQUEST
 */
export function rackOf (racks: unknown, env: Readonly<Record<string, string | undefined>>): string {
  if (racks !== undefined && (typeof racks !== 'object' || racks === null || Array.isArray(racks))) {
    throw invalid('racks in MILLRACE_CONFIG must be an object, the rack of each node by its name')
  }
  const node = env.MILLRACE_NODE_NAME ?? ''
  const told = racks !== undefined && Object.hasOwn(racks, node) ? (racks as Record<string, unknown>)[node] : ''
  if (typeof told !== 'string') throw invalid(`the rack of node ${node} in MILLRACE_CONFIG must be a text`)
  const rack = told === '' ? env.MILLRACE_RACK ?? '' : told
  if (rack.length > rackLengthMax) throw invalid(`a rack has at most ${rackLengthMax} characters`)
  return rack
}

function invalid (message: string): WireError {
  return new WireError('INVALID_REQUEST', message)
}
