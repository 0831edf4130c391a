// The parts of a local cluster, put together and taken apart.
import { join } from 'node:path'
import { rootFolder } from './child.ts'
import type { Program } from './child.ts'
import { startKubeApi } from './kube/api.ts'
import type { KubeApi } from './kube/api.ts'
import { writeKubeconfig } from './kube/kubeconfig.ts'
import { applyCrds, applyExamples, clusterName } from './manifests.ts'
import { freePort } from './pods/free-ports.ts'
import { PodLog } from './pods/pod-log.ts'
import { PodRunner } from './pods/pod-runner.ts'
import type { Proxy } from './pods/proxy.ts'
import { ServiceController } from './pods/service-controller.ts'
import { StatefulSetController } from './pods/stateful-set-controller.ts'
import { address } from './pods/types.ts'
import type { Container } from './pods/types.ts'
import { forgetReadiness } from './readiness.ts'
import { Supervised } from './supervised.ts'

export interface StackOptions {
  /** Absolute path, ours alone. */
  readonly folder: string
  /** Listens already, so that a port in use is noticed before anything else happens. */
  readonly bootstrap: Proxy
  readonly brokers: number | undefined
  /** What goes wrong later, in one line. */
  readonly onTrouble: (text: string) => void
}

/** As in the chart's Deployment, with the reason in docs/decisions. */
export const operatorNodeOptions = '--max-old-space-size=192 --max-semi-space-size=4'

/** Brokers hand over and close their volumes; the operator gives its Lease back. */
const stopMsMax = 2_500

export class Stack {
  readonly api: KubeApi
  readonly operatorMetricsPort: number
  readonly #runner: PodRunner
  readonly #sets: StatefulSetController
  readonly #services: ServiceController
  readonly #operator: Operator

  private constructor (api: KubeApi, options: StackOptions, operator: Operator) {
    const { folder, bootstrap, onTrouble } = options
    const onError = (key: string, error: unknown): void => { onTrouble(`${key}: ${(error as Error).message}`) }
    this.api = api
    this.operatorMetricsPort = operator.metricsPort
    this.#operator = operator
    this.#runner = new PodRunner({ api, dataFolder: folder, program: programOf, onError })
    this.#sets = new StatefulSetController(api, onError)
    this.#services = new ServiceController({
      api,
      onError,
      proxies: new Map([[`default/${clusterName}-bootstrap/client`, bootstrap]]),
      isRunning: pod => this.#runner.isRunning(pod)
    })
  }

  static async start (options: StackOptions): Promise<Stack> {
    const { folder, brokers } = options
    const api = await startKubeApi({ folder: join(folder, 'kube') })
    let operator: Operator | undefined
    try {
      writeKubeconfig(kubeconfigOf(folder), { url: api.url })
      await Promise.all([applyCrds(api, join(rootFolder, 'crds')), releaseOperatorLease(api)])
      await forgetReadiness(api)
      // It takes longer to load than the examples to be written.
      operator = startOperator(folder, await freePort(), options.onTrouble)
      await applyExamples(api, join(rootFolder, 'examples'), brokers)
      return new Stack(api, options, operator)
    } catch (error) {
      await operator?.process.stop(stopMsMax)
      await api.close()
      throw error
    }
  }

  /** Everything stops, pods and operator together; the API last, since they say goodbye there. */
  async stop (): Promise<void> {
    await this.#sets.stop()
    await Promise.all([this.#runner.stop(stopMsMax), this.#operator.process.stop(stopMsMax)])
    await this.#services.stop()
    await this.api.close()
    this.#operator.log.close()
  }
}

interface Operator {
  readonly process: Supervised
  readonly log: PodLog
  readonly metricsPort: number
}

function startOperator (folder: string, metricsPort: number, onTrouble: (text: string) => void): Operator {
  const path = join(folder, 'logs/operator.log')
  const log = new PodLog(path)
  const supervised = new Supervised({ file: join(rootFolder, 'operator/main.ts'), args: [] }, {
    KUBECONFIG: kubeconfigOf(folder),
    NODE_OPTIONS: operatorNodeOptions,
    // One that was killed has its Lease back at once: it is started again only when it is gone, and by nobody else.
    MILLRACE_POD_NAME: `operator-${process.pid}`,
    MILLRACE_LISTEN_METRICS: `${address}:${metricsPort}`
  }, chunk => { log.write(chunk) },
  how => { onTrouble(`the operator ended (${how}) and is started again; see ${path}`) })
  return { process: supervised, log, metricsPort }
}

export function kubeconfigOf (folder: string): string {
  return join(folder, 'kubeconfig')
}

/** What the image of a container does, told by its arguments. */
function programOf ({ args = [] }: Container): Program | undefined {
  return args[0] === 'broker' ? { file: join(rootFolder, 'broker/main.ts'), args: args.slice(1) } : undefined
}

/** Whoever holds it is dead: the data folder is ours alone. Nobody waits 15 s for it to expire. */
async function releaseOperatorLease (api: KubeApi): Promise<void> {
  const resource = 'leases.coordination.k8s.io'
  if (api.get(resource, 'default', 'millrace-operator') !== undefined) {
    await api.delete(resource, 'default', 'millrace-operator')
  }
}
