// The scale subresource: autoscaling/v1 Scale, read from and written to the paths that the kind names.
import type { Json, JsonObject, KubeObject } from '../object.ts'
import { isObject } from '../object.ts'
import { badRequest, invalid, invalidValue, noSuchPath } from '../status.ts'
import { evaluateJsonPath, parseJsonPath, setAt } from '../table/json-path.ts'
import { selectorText } from '../table/format.ts'
import type { ResourceType } from './resource.ts'

function valueAt (object: KubeObject, path: string | undefined): Json | undefined {
  const parsed = path === undefined ? undefined : parseJsonPath(path)
  return parsed === undefined ? undefined : evaluateJsonPath(parsed, object as unknown as Json)[0]
}

function numberAt (object: KubeObject, path: string): number {
  const value = valueAt(object, path)
  return typeof value === 'number' ? value : 0
}

export function scaleOf (type: ResourceType, object: KubeObject): JsonObject {
  if (type.scale === undefined) throw noSuchPath()
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = valueAt(object, type.scale.selector)
  const text = typeof selector === 'string' ? selector : isObject(selector) ? selectorText(selector) : ''
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...namespace !== undefined && { namespace },
      uid: uid ?? '',
      resourceVersion: resourceVersion ?? '',
      creationTimestamp: creationTimestamp ?? ''
    },
    spec: { replicas: numberAt(object, type.scale.spec) },
    status: { replicas: numberAt(object, type.scale.status), ...text !== '' && { selector: text } }
  }
}

/** The object with the replicas of a Scale; `live` may be changed. Throws 400 and 422. */
export function withScale (type: ResourceType, live: JsonObject, scale: unknown): JsonObject {
  if (type.scale === undefined) throw noSuchPath()
  if (!isObject(scale) || scale.kind !== 'Scale' || scale.apiVersion !== 'autoscaling/v1') {
    throw badRequest('the body is no autoscaling/v1 Scale')
  }
  const replicas = isObject(scale.spec) ? scale.spec.replicas ?? 0 : 0
  if (typeof replicas !== 'number' || !Number.isInteger(replicas)) {
    throw badRequest('Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal ' +
      `${typeof replicas} into Go struct field ScaleSpec.spec.replicas of type int32`)
  }
  const metadata = isObject(scale.metadata) ? scale.metadata : {}
  if (replicas < 0 && type.custom) {
    throw invalid(type.group, type.kind, String(metadata.name ?? ''),
      [invalidValue(type.scale.spec, replicas, 'should be a non-negative integer')])
  }
  if (replicas < 0) {
    throw invalid('autoscaling', 'Scale', String(metadata.name ?? ''),
      [invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0')])
  }
  setAt(live, parseJsonPath(type.scale.spec) ?? [], replicas)
  const meta = live.metadata as JsonObject
  if (typeof metadata.resourceVersion === 'string' && metadata.resourceVersion !== '') {
    meta.resourceVersion = metadata.resourceVersion
  }
  return live
}
