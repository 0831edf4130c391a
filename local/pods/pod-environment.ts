// The environment of a pod's process. Pure.
import { address } from './types.ts'
import type { Container, EnvVar, Pod } from './types.ts'

export interface PodPlace {
  /** Port on 127.0.0.1 of each named container port. */
  readonly ports: Readonly<Record<string, number>>
  /** The folder that plays the volume mounted at each mountPath. */
  readonly folders: Readonly<Record<string, string>>
  /** http://127.0.0.1:port of the embedded API. */
  readonly kubeUrl: string
}

/** Throws Error with one line when a variable comes from where no local pod can read. */
export function podEnvironment (pod: Pod, container: Container, place: PodPlace): Record<string, string> {
  const env: Record<string, string> = Object.create(null) as Record<string, string>
  for (const variable of container.env ?? []) env[variable.name] = valueOf(pod, variable, env)
  for (const name of Object.keys(env)) env[name] = inFolder(env[name] ?? '', place.folders)
  for (const [name, port] of Object.entries(place.ports)) {
    const suffix = name.toUpperCase().replaceAll('-', '_')
    env[`MILLRACE_LISTEN_${suffix}`] = `${address}:${port}`
    env[`MILLRACE_ADVERTISE_${suffix}`] = `${address}:${port}`
  }
  env.MILLRACE_KUBE = place.kubeUrl
  // Where a container would find it in a file beside its token.
  env.MILLRACE_NAMESPACE ??= pod.metadata.namespace ?? 'default'
  return env
}

function valueOf (pod: Pod, { name, value, valueFrom }: EnvVar, env: Readonly<Record<string, string>>): string {
  if (valueFrom === undefined) return expand(value ?? '', env)
  const path = valueFrom.fieldRef?.fieldPath
  const field = path === undefined ? undefined : fieldOf(pod, path)
  if (field === undefined) throw new Error(`local pods cannot read ${name} from ${JSON.stringify(valueFrom)}`)
  return field
}

/**
 * $(NAME) is the value of a variable that was defined before, $$(NAME) is the text $(NAME); a name that is
 * not defined stays as it is. https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1
 */
function expand (value: string, env: Readonly<Record<string, string>>): string {
  return value.replace(/\$(\$?)\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)/g, (text, escaped: string, name: string) =>
    escaped === '$' ? text.slice(1) : env[name] ?? text)
}

/** https://kubernetes.io/docs/concepts/workloads/pods/downward-api */
function fieldOf (pod: Pod, path: string): string | undefined {
  const { metadata, spec } = pod
  const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (entry !== null) {
    const entries = entry[1] === 'labels' ? metadata.labels : metadata.annotations
    return entries?.[entry[2] ?? ''] ?? ''
  }
  switch (path) {
    case 'metadata.name': return metadata.name
    case 'metadata.namespace': return metadata.namespace ?? 'default'
    case 'metadata.uid': return metadata.uid ?? ''
    case 'spec.nodeName': return spec.nodeName ?? ''
    case 'spec.serviceAccountName': return spec.serviceAccountName ?? ''
    case 'status.podIP': case 'status.hostIP': return address
    default: return undefined
  }
}

/** What begins with a volume's mountPath goes on in the folder that plays the volume. */
function inFolder (value: string, folders: Readonly<Record<string, string>>): string {
  for (const [mountPath, folder] of Object.entries(folders)) {
    if (value === mountPath) return folder
    if (value.startsWith(`${mountPath}/`)) return folder + value.slice(mountPath.length)
  }
  return value
}
