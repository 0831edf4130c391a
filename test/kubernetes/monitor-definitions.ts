// The definitions of PodMonitor and PrometheusRule, from the Prometheus operator's Go module.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import type { Any, Client } from '../local/kube/client.ts'
import { definitionsPath } from './objects.ts'

const moduleAtVersion = 'github.com/prometheus-operator/prometheus-operator@v0.93.0'
const plurals = ['podmonitors', 'prometheusrules'] as const
const run = promisify(execFile)

export const monitoringPath = '/apis/monitoring.coreos.com/v1'

async function download (): Promise<Any[]> {
  const { stdout } = await run('go', ['mod', 'download', '-json', moduleAtVersion]).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('go is missing: it fetches the module')
    throw error
  })
  const { Dir: folder } = JSON.parse(stdout) as { Dir: string }
  return await Promise.all(plurals.map(async plural => parse(await readFile(
    join(folder, `example/prometheus-operator-crd/monitoring.coreos.com_${plural}.yaml`), 'utf8')) as Any))
}

/** Resolves when their objects are served. */
export async function installMonitorDefinitions (client: Client): Promise<void> {
  for (const definition of await download()) {
    const reply = await client.post(definitionsPath, definition)
    if (reply.status !== 201) throw new Error(reply.text)
    await client.eventually(`${monitoringPath}/${definition.spec.names.plural}`, ({ status }) => status === 200)
  }
}
