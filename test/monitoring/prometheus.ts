// The real Prometheus, on a folder of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { ended, freePort, until } from '../fault/harness.ts'
import type { Rules } from './alerts.ts'

export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

export interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

export interface Sources {
  /** Tells of the brokers' pods, see discovery.ts. */
  readonly discovery: string
  /** Metrics ports by the name of the pod. */
  readonly operators: Readonly<Record<string, number>>
}

/** What the Prometheus operator makes of the chart's PodMonitors. */
function scrapeConfigs ({ discovery, operators }: Sources): object[] {
  const meta = (name: string): string => `__meta_kubernetes_pod_${name}`
  return [
    {
      job_name: 'default/millrace-broker',
      http_sd_configs: [{ url: discovery, refresh_interval: '1s' }],
      relabel_configs: [
        { source_labels: [meta('container_port_name')], regex: 'metrics', action: 'keep' },
        { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
        { source_labels: [meta('name')], target_label: 'pod' },
        { source_labels: [meta('label_millrace_dev_cluster')], target_label: 'millrace_cluster' }
      ]
    },
    {
      job_name: 'default/millrace-operator',
      static_configs: Object.entries(operators).map(([pod, port]) =>
        ({ targets: [`127.0.0.1:${port}`], labels: { namespace: 'default', pod } }))
    }
  ]
}

export class Prometheus {
  readonly #process: ChildProcess
  readonly #url: string
  readonly #ended: Promise<number | null>
  #said = ''

  private constructor (process: ChildProcess, url: string) {
    this.#process = process
    this.#url = url
    this.#ended = ended(process)
    process.stderr?.on('data', (data: Buffer) => { this.#said += data.toString() })
  }

  /** Scrapes and evaluates once a second. @param folder of its own */
  static async start (folder: string, sources: Sources, rules: Rules): Promise<Prometheus> {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'rules.yaml'), stringify(rules))
    writeFileSync(join(folder, 'prometheus.yaml'), stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yaml'],
      scrape_configs: scrapeConfigs(sources)
    }))
    const port = await freePort()
    const child = spawn('prometheus', [
      `--config.file=${join(folder, 'prometheus.yaml')}`, `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`
    ], { stdio: ['ignore', 'ignore', 'pipe'] })
    const prometheus = new Prometheus(child, `http://127.0.0.1:${port}`)
    await until('prometheus is ready', 30_000, async () => {
      if (child.exitCode !== null) throw new Error(`prometheus ended: ${prometheus.#said}`)
      return await fetch(`${prometheus.#url}/-/ready`).then(({ ok }) => ok, () => false)
    })
    return prometheus
  }

  async #get<T> (path: string): Promise<T> {
    const response = await fetch(this.#url + path)
    const { status, data, error } = await response.json() as { status: string, data: T, error?: string }
    if (status !== 'success') throw new Error(`${path}: ${error ?? status}`)
    return data
  }

  async query (expression: string): Promise<Sample[]> {
    return (await this.#get<{ result: Sample[] }>(`/api/v1/query?query=${encodeURIComponent(expression)}`)).result
  }

  async alerts (): Promise<FiringAlert[]> {
    return (await this.#get<{ alerts: FiringAlert[] }>('/api/v1/alerts')).alerts
  }

  async firing (name: string): Promise<FiringAlert | undefined> {
    return (await this.alerts()).find(({ labels, state }) => labels['alertname'] === name && state === 'firing')
  }

  async stop (): Promise<void> {
    this.#process.kill('SIGTERM')
    await this.#ended
  }
}
