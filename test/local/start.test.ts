// `npm start` with the real operator and a real broker; more of it, at length, in test/fault/.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileCacheFolder, rootFolder } from '../../local/child.ts'
import type { KubeObject } from '../../local/kube/api.ts'
import { Proxy } from '../../local/pods/proxy.ts'
import { alive, until } from './pods/fixtures.ts'

class Started {
  readonly process: ChildProcess
  said = ''

  constructor (...args: string[]) {
    this.process = spawn(process.execPath, [join(rootFolder, 'local/start.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // `npm test` has told its own child who started it; this one was started by the test.
      env: { ...process.env, NODE_COMPILE_CACHE: compileCacheFolder, MILLRACE_PARENT: String(process.pid) }
    })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (chunk: Buffer) => { this.said += chunk.toString() })
    }
  }

  async ready (): Promise<void> {
    await until('ready', () => this.said.includes('ready in') || this.process.exitCode !== null, () => this.said)
    expect(this.process.exitCode, this.said).toBe(null)
  }

  async exitCode (): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'close')
    return this.process.exitCode
  }

  /** Through the kubeconfig, as everybody. */
  async get (path: string): Promise<{ items: KubeObject[] }> {
    const server = /server: "(.*)"/.exec(readFileSync(join(folder, 'kubeconfig'), 'utf8'))?.[1] ?? ''
    return await (await fetch(server + path)).json() as never
  }

  /** Pids of brokers and operator. */
  async children (): Promise<number[]> {
    const { items } = await this.get('/api/v1/namespaces/default/pods')
    return items.map(({ metadata }) => Number(metadata.annotations?.['millrace.dev/pid']))
  }
}

let folder: string
let started: Started

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-start-'))
  started = new Started('--dir', folder, '--port', '0', '--brokers', '1')
  await started.ready()
})

afterAll(async () => {
  started.process.kill('SIGTERM')
  await started.exitCode()
  rmSync(folder, { recursive: true })
})

describe('npm start', () => {
  it('ends with a block that says where everything is and what to do next', () => {
    expect(started.said.split('\n').filter(line => line.includes('ready in'))).toHaveLength(1)
    expect(started.said).toMatch(/^millrace is ready in \d+\.\d s$/m)
    expect(started.said).toContain(`export KUBECONFIG=${join(folder, 'kubeconfig')}`)
    expect(started.said).toMatch(/^ {2}bootstrap {3}127\.0\.0\.1:\d+$/m)
    expect(started.said).toMatch(/http:\/\/127\.0\.0\.1:\d+\/metrics {2}events-0/)
  })

  it('refuses a folder that is in use, and a port that is', async () => {
    const other = await Proxy.listen(0)
    const refused = [
      new Started('--dir', folder, '--port', '0'),
      new Started('--dir', `${folder}-other`, '--port', String(other.port)),
      new Started('--dir', folder, '--port', '0', '--fresh')
    ]
    expect(await Promise.all(refused.map(each => each.exitCode()))).toEqual([1, 1, 1])
    await other.close()
    expect(refused[0]?.said).toMatch(/^% error: .* is in use by another process.*\n$/)
    expect(refused[1]?.said).toMatch(/^% error: port \d+ on 127\.0\.0\.1 is in use by another process.*\n$/)
    expect(refused[2]?.said).toMatch(/^% error: .* is in use by another process.*\n$/)
    expect((await started.get('/api/v1/namespaces/default/pods')).items).toHaveLength(1)
  })

  it('takes its children with it when it is killed, and goes on with its data when it starts again', async () => {
    const topics = '/apis/millrace.dev/v1alpha1/topics'
    const [topic] = (await started.get(topics)).items
    const children = await started.children()
    started.process.kill('SIGKILL')
    await until('the children are gone', () => !children.some(alive))

    started = new Started('--dir', folder, '--port', '0')
    await started.ready()
    expect((await started.get(topics)).items[0]?.metadata.uid).toBe(topic?.metadata.uid)
    const again = await started.children()
    expect(again).toHaveLength(1)

    started.process.kill('SIGINT')
    started.process.kill('SIGINT')
    expect(await started.exitCode()).toBe(0)
    expect(again.some(alive)).toBe(false)
  })
})
