// Tells Prometheus over HTTP what its Kubernetes discovery would tell it: pods with their labels, asked of the API
// anew each time. (Debian's Prometheus is built without that discovery.) While the API is away it says so, and
// Prometheus goes on with what it knew.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Pod {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
}

const selector = 'app.kubernetes.io/name=millrace,app.kubernetes.io/component=broker'
const answerMsMax = 1_000

/** As `role: pod` names them; annotations are left out, the local pod's port is the address. */
function targetOf ({ metadata: { name, namespace, labels, annotations = {} } }: Pod): object[] {
  const { metrics } = JSON.parse(annotations['millrace.dev/ports'] ?? '{}') as { metrics?: number }
  if (metrics === undefined) return []
  const meta = '__meta_kubernetes_'
  const shown = Object.entries(labels).map(([label, value]) =>
    [`${meta}pod_label_${label.replaceAll(/[^A-Za-z0-9_]/g, '_')}`, value] as const)
  return [{
    targets: [`127.0.0.1:${metrics}`],
    labels: {
      [`${meta}namespace`]: namespace, [`${meta}pod_name`]: name, [`${meta}pod_container_port_name`]: 'metrics',
      ...Object.fromEntries(shown)
    }
  }]
}

/** @param kubernetes URL of the API */
export async function serveTargets (kubernetes: string): Promise<{ url: string, close: () => Promise<void> }> {
  const pods = `${kubernetes}/api/v1/pods?labelSelector=${encodeURIComponent(selector)}`
  const server: Server = createServer((_request, response) => {
    fetch(pods, { signal: AbortSignal.timeout(answerMsMax) })
      .then(async answer => ((await answer.json()) as { items: Pod[] }).items.flatMap(targetOf))
      .then(targets => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(targets))
      }, (error: unknown) => { response.writeHead(503).end(String(error)) })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => { server.close(resolve) })
    }
  }
}
