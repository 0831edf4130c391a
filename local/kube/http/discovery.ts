// Which groups, versions and resources there are: /api, /apis and below, in the old form and in the
// aggregated one (apidiscovery.k8s.io/v2), which gives kubectl all of it in two requests.
import type { Catalog } from '../registry/catalog.ts'
import type { JsonObject } from '../object.ts'
import type { ResourceType } from '../registry/resource.ts'
import { noSuchPath } from '../status.ts'
import { acceptedMedia } from './respond.ts'
import type { KubeRequest } from './request.ts'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const statusVerbs = ['get', 'patch', 'update']

interface Subresource {
  readonly name: string
  readonly kind: string
  readonly group?: string
  readonly version?: string
  readonly verbs: readonly string[]
}

function subresources (type: ResourceType): Subresource[] {
  const result: Subresource[] = []
  if (type.hasStatus) result.push({ name: 'status', kind: type.kind, verbs: statusVerbs })
  if (type.scale !== undefined) {
    result.push({ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: statusVerbs })
  }
  if (type.table === 'pods') {
    result.push({ name: 'log', kind: 'Pod', verbs: ['get'] },
      { name: 'binding', kind: 'Binding', verbs: ['create'] },
      { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] })
  }
  return result
}

/** Group → version → its resources, in the order in which they were added. */
function groups (catalog: Catalog): Map<string, Map<string, ResourceType[]>> {
  const result = new Map<string, Map<string, ResourceType[]>>()
  for (const type of catalog.all()) {
    const versions = result.get(type.group) ?? new Map<string, ResourceType[]>()
    result.set(type.group, versions)
    versions.set(type.version, [...versions.get(type.version) ?? [], type])
  }
  for (const [group, versions] of result) {
    // The preferred version first.
    result.set(group, new Map([...versions].toSorted(([, a], [, b]) =>
      Number(b.some(type => type.preferred)) - Number(a.some(type => type.preferred)))))
  }
  return result
}

function apiResource (type: ResourceType): JsonObject[] {
  const own: JsonObject = {
    name: type.plural,
    singularName: type.singular,
    namespaced: type.namespaced,
    kind: type.kind,
    verbs: [...verbs],
    ...type.shortNames.length > 0 && { shortNames: [...type.shortNames] },
    ...type.categories.length > 0 && { categories: [...type.categories] }
  }
  return [own, ...subresources(type).map((sub): JsonObject => ({
    name: `${type.plural}/${sub.name}`,
    singularName: '',
    namespaced: type.namespaced,
    ...sub.group !== undefined && { group: sub.group, version: sub.version ?? '' },
    kind: sub.kind,
    verbs: [...sub.verbs]
  }))]
}

function resourceList (groupVersion: string, types: readonly ResourceType[]): JsonObject {
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: types.flatMap(apiResource) }
}

function apiGroup (group: string, versions: ReadonlyMap<string, unknown>): JsonObject {
  const all = [...versions.keys()].map(version => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions: all, preferredVersion: all[0] ?? {} }
}

function kindOf (type: { group: string, version: string }, kind: string): JsonObject {
  return { group: type.group, version: type.version, kind }
}

function aggregatedGroup (name: string, versions: ReadonlyMap<string, readonly ResourceType[]>): JsonObject {
  return {
    metadata: { name },
    versions: [...versions].map(([version, types]) => ({
      version,
      freshness: 'Current',
      resources: types.map((type): JsonObject => ({
        resource: type.plural,
        responseKind: kindOf(type, type.kind),
        scope: type.namespaced ? 'Namespaced' : 'Cluster',
        singularResource: type.singular,
        verbs: [...verbs],
        ...type.shortNames.length > 0 && { shortNames: [...type.shortNames] },
        ...type.categories.length > 0 && { categories: [...type.categories] },
        subresources: subresources(type).map(sub => ({
          subresource: sub.name,
          responseKind: kindOf({ group: sub.group ?? type.group, version: sub.version ?? type.version }, sub.kind),
          verbs: [...sub.verbs]
        }))
      }))
    }))
  }
}

/** The version of aggregated discovery that the client accepts, if any. */
function aggregatedVersion (request: KubeRequest): string | undefined {
  return acceptedMedia(request.header('accept')).find(({ parameters }) =>
    parameters.get('g') === 'apidiscovery.k8s.io' && parameters.get('as') === 'APIGroupDiscoveryList' &&
    ['v2', 'v2beta1'].includes(parameters.get('v') ?? ''))?.parameters.get('v')
}

export interface Discovered {
  readonly body: JsonObject
  readonly contentType: string
}

/** Answers /api, /api/v1, /apis, /apis/<group>, /apis/<group>/<version>; undefined for other paths. */
export function discovery (catalog: Catalog, request: KubeRequest, host: string): Discovered | undefined {
  const [root, first, second, ...more] = request.segments
  if (more.length > 0 || (root !== 'api' && root !== 'apis')) return undefined
  if (root === 'api' && second !== undefined) return undefined
  const all = groups(catalog)
  const json = (body: JsonObject): Discovered => ({ body, contentType: 'application/json' })
  if (first === undefined) {
    const version = aggregatedVersion(request)
    const wanted = [...all].filter(([group]) => (group === '') === (root === 'api'))
    if (version !== undefined) {
      return {
        body: {
          kind: 'APIGroupDiscoveryList',
          apiVersion: `apidiscovery.k8s.io/${version}`,
          metadata: {},
          items: wanted.map(([group, versions]) => aggregatedGroup(group, versions))
        },
        contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
      }
    }
    if (root === 'api') {
      return json({
        kind: 'APIVersions',
        versions: ['v1'],
        serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: host }]
      })
    }
    return json({
      kind: 'APIGroupList', apiVersion: 'v1', groups: wanted.map(([group, versions]) => apiGroup(group, versions))
    })
  }
  const group = root === 'api' ? '' : first
  const version = root === 'api' ? first : second
  const versions = all.get(group)
  if (versions === undefined) throw noSuchPath()
  if (version === undefined) return json({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, versions) })
  const types = versions.get(version)
  if (types === undefined) throw noSuchPath()
  return json(resourceList(group === '' ? version : `${group}/${version}`, types))
}
