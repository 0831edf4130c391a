// Paths of objects, and what the suites install first.
import { customResourceDefinition } from '../../operator/schema/crd.ts'
import { resources } from '../../operator/schema/resources.ts'
import type { Any, Client } from '../local/kube/client.ts'

export const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

const versions: Record<string, string> = {
  apps: 'v1', policy: 'v1', 'rbac.authorization.k8s.io': 'v1', 'coordination.k8s.io': 'v1', 'networking.k8s.io': 'v1',
  'storage.k8s.io': 'v1', 'events.k8s.io': 'v1', 'apiextensions.k8s.io': 'v1', 'millrace.dev': 'v1alpha1'
}

const inNoNamespace = ['namespaces', 'nodes', 'customresourcedefinitions']

/**
 * 'pods' or 'statefulsets.apps' as a path.
 * @param namespace undefined: all of them
 */
export function pathOf (resource: string, namespace: string | undefined, name?: string): string {
  const [plural = '', ...rest] = resource.split('.')
  const group = rest.join('.')
  const base = group === '' ? '/api/v1' : `/apis/${group}/${versions[group]}`
  const inNamespace = namespace === undefined || inNoNamespace.includes(plural) ? '' : `/namespaces/${namespace}`
  return `${base}${inNamespace}/${plural}${name === undefined ? '' : `/${name}`}`
}

/** The definitions of crds/ that are not there yet, until their objects are served. */
export async function installDefinitions (client: Client): Promise<void> {
  for (const resource of resources) {
    const definition = customResourceDefinition(resource) as Any
    const reply = await client.post(definitionsPath, definition)
    if (reply.status !== 201 && reply.status !== 409) throw new Error(reply.text)
    await client.eventually(`/apis/millrace.dev/v1alpha1/${definition.spec.names.plural}`,
      ({ status }) => status === 200)
  }
}
