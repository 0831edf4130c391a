// The kubeconfig that makes plain kubectl talk to the embedded API.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Writes a kubeconfig with the one context `millrace`, atomically, readable by its owner alone. */
export function writeKubeconfig (path: string, options: { url: string, namespace?: string }): void {
  mkdirSync(dirname(path), { recursive: true })
  const partial = `${path}.${process.pid}.tmp`
  writeFileSync(partial, kubeconfig(options), { mode: 0o600 })
  renameSync(partial, path)
}

/** The text of such a file. No credentials: the server listens on loopback only and asks for none. */
export function kubeconfig (options: { url: string, namespace?: string }): string {
  return `apiVersion: v1
kind: Config
current-context: millrace
clusters:
- name: millrace
  cluster:
    server: ${JSON.stringify(options.url)}
contexts:
- name: millrace
  context:
    cluster: millrace
    user: millrace
    namespace: ${JSON.stringify(options.namespace ?? 'default')}
users:
- name: millrace
  user: {}
`
}
