// `kubectl auth can-i`: there is no authorisation here, everybody may do everything.
import type { JsonObject } from '../object.ts'
import { isObject } from '../object.ts'
import { badRequest, noSuchPath } from '../status.ts'
import { parseBody } from './body.ts'
import type { KubeRequest } from './request.ts'

const reviews: Record<string, string> = {
  selfsubjectaccessreviews: 'SelfSubjectAccessReview',
  subjectaccessreviews: 'SubjectAccessReview'
}

export async function selfReview (request: KubeRequest, body: Buffer): Promise<JsonObject> {
  const kind = reviews[request.segments[3] ?? '']
  if (kind === undefined || request.segments[2] !== 'v1' || request.segments.length !== 4) throw noSuchPath()
  const { value } = await parseBody(body, request.header('content-type').split(';', 1)[0] ?? '')
  if (!isObject(value)) throw badRequest(`the body is no ${kind}`)
  return {
    kind,
    apiVersion: 'authorization.k8s.io/v1',
    metadata: {},
    spec: value.spec ?? {},
    status: { allowed: true, reason: 'the local API has no authorisation' }
  }
}
