// State survives restarts, kill -9 and torn writes, and is refused when it is damaged or not ours.
import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startKubeApi } from '../../../../local/kube/api.ts'
import type { KubeApi } from '../../../../local/kube/api.ts'
import { Store, keyOf } from '../../../../local/kube/storage/store.ts'
import { Client } from '../client.ts'
import { crd, gadgetSchema, group } from '../conformance/world.ts'

let folder: string

beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'millrace-kube-')) })
afterEach(() => { rmSync(folder, { recursive: true, force: true }) })

const log = (): string => join(folder, 'kube.log')
const start = async (): Promise<KubeApi> => await startKubeApi({ folder })
const map = (name: string, value = '1'): { metadata: { name: string }, data: { a: string } } =>
  ({ metadata: { name }, data: { a: value } })

describe('a restart', () => {
  it('finds objects, definitions, versions and history as they were', async () => {
    const first = await start()
    await first.create('customresourcedefinitions.apiextensions.k8s.io', crd('Gadget', gadgetSchema))
    const one = await first.create('configmaps', map('one'))
    await first.create('configmaps', map('two'))
    await first.delete('configmaps', 'default', 'two')
    await first.create(`gadgets.${group}`, { metadata: { name: 'g' }, spec: { size: 3 } })
    await first.close()

    const second = await start()
    try {
      expect(second.get('configmaps', 'default', 'one')).toEqual(one)
      expect(second.get('configmaps', 'default', 'two')).toBeUndefined()
      expect(second.get(`gadgets.${group}`, 'default', 'g')?.spec).toMatchObject({ size: 3, color: 'red' })
      const client = new Client({ url: second.url })
      const watch = await client.watch(`/api/v1/configmaps?resourceVersion=${one.metadata.resourceVersion}`)
      const events = await watch.until(found => found.length === 2)
      expect(events.map(event => `${event.type} ${event.object.metadata.name}`)).toEqual(['ADDED two', 'DELETED two'])
      const next = await second.create('configmaps', map('three'))
      expect(Number(next.metadata.resourceVersion)).toBeGreaterThan(Number(events[1].object.metadata.resourceVersion))
      watch.close()
    } finally {
      await second.close()
    }
  })

  it('goes on with what was being deleted', async () => {
    const first = await start()
    const owner = await first.create('configmaps', map('owner'))
    const { uid = '' } = owner.metadata
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }
    await first.create('configmaps', { ...map('child'), metadata: { name: 'child', ownerReferences: [reference] } })
    const deleted = first.delete('configmaps', 'default', 'owner')
    await first.close()
    await deleted
    const second = await start()
    try {
      const client = new Client({ url: second.url })
      await client.eventually('/api/v1/namespaces/default/configmaps/child', ({ status }) => status === 404)
    } finally {
      await second.close()
    }
  })

  it('folds the log into a snapshot and goes on from both', async () => {
    const store = await Store.open(folder, 100)
    const object = (at: number): { apiVersion: string, kind: string, metadata: { name: string } } =>
      ({ apiVersion: 'v1', kind: 'X', metadata: { name: `x-${at}` } })
    for (let at = 0; at < 20; at++) store.put('xs', keyOf('n', `x-${at}`), object(at))
    store.remove('xs', keyOf('n', 'x-3'))
    await store.durable()
    await store.snapshot()
    expect(readFileSync(log(), 'utf8').split('\n')).toHaveLength(2)
    store.put('xs', keyOf('n', 'late'), object(99))
    await store.durable()
    const revision = store.revision
    await store.close()

    const again = await Store.open(folder, 100)
    expect(again.revision).toBe(revision)
    expect(again.count('xs')).toBe(20)
    expect(again.get('xs', keyOf('n', 'x-3'))).toBeUndefined()
    expect(again.get('xs', keyOf('n', 'late'))?.metadata.resourceVersion).toBe(String(revision))
    await again.close()
  })

  it('snapshots by itself when the log has grown', async () => {
    const api = await start()
    for (let at = 0; at < 12; at++) await api.update('configmaps', await big(api, at))
    await api.close()
    expect(existsSync(join(folder, 'kube.snapshot'))).toBe(true)
    expect(readFileSync(log()).length).toBeLessThan(8 * 1024 * 1024)
    const again = await start()
    expect(again.get('configmaps', 'default', 'big')?.data).toEqual({ a: `11${'x'.repeat(900_000)}` })
    await again.close()

    async function big (server: KubeApi, at: number): Promise<ReturnType<typeof map>> {
      if (at === 0) await server.create('configmaps', map('big'))
      return map('big', `${at}${'x'.repeat(900_000)}`)
    }
  })
})

describe('a crash', () => {
  it('loses nothing that was answered', async () => {
    const script = `
      import { startKubeApi } from ${JSON.stringify(join(import.meta.dirname, '../../../../local/kube/api.ts'))}
      const api = await startKubeApi({ folder: ${JSON.stringify(folder)} })
      for (let at = 0; ; at++) {
        await api.create('configmaps', { metadata: { name: 'cm-' + at } })
        process.stdout.write(at + '\\n')
      }`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script],
      { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    await new Promise<void>(resolve => {
      child.stdout.on('data', chunk => {
        text += String(chunk)
        if (text.split('\n').length > 40) child.kill('SIGKILL')
      })
      child.on('close', () => { resolve() })
    })
    const answered = Number(text.trimEnd().split('\n').at(-1))
    expect(answered).toBeGreaterThan(30)
    const api = await start()
    for (let at = 0; at <= answered; at++) expect(api.get('configmaps', 'default', `cm-${at}`),
      `cm-${at}`).toBeDefined()
    await api.close()
  })

  it('leaves a torn last frame, which is dropped', async () => {
    const first = await start()
    await first.create('configmaps', map('kept'))
    await first.close()
    const whole = readFileSync(log())
    appendFileSync(log(), '0badc0de [[99,"configmaps","default/torn",{"apiVer')
    const second = await start()
    expect(second.get('configmaps', 'default', 'kept')).toBeDefined()
    await second.create('configmaps', map('next'))
    await second.close()
    truncateSync(log(), whole.length - 3)
    const third = await start()
    expect(third.get('configmaps', 'default', 'kept')).toBeUndefined()
    await third.close()
  })
})

describe('a folder', () => {
  it('is refused when a frame in the middle is damaged', async () => {
    const first = await start()
    await first.create('configmaps', map('one'))
    await first.create('configmaps', map('two'))
    await first.close()
    const text = readFileSync(log(), 'utf8')
    writeFileSync(log(), text.replace('"one"', '"oNe"'))
    await expect(start()).rejects.toThrow(/kube\.log is damaged at character \d+: whole frames follow a broken one/)
  })

  it('is refused when another version wrote it, and left as it is', async () => {
    const first = await start()
    await first.close()
    const text = readFileSync(log(), 'utf8').replace('"version":1', '"version":2')
    writeFileSync(log(), text)
    await expect(start()).rejects.toThrow(/format version 2, this program reads version 1/)
    expect(readFileSync(log(), 'utf8')).toBe(text)
    writeFileSync(log(), 'something else\n')
    await expect(start()).rejects.toThrow(/is not a log of the embedded Kubernetes API/)
  })

  it('serves one process at a time', async () => {
    const first = await start()
    await expect(start()).rejects.toThrow(/is in use by another process/)
    await first.close()
    await (await start()).close()
    writeFileSync(join(folder, 'kube.lock'), '1 12345\n')
    await (await start()).close()
  })

  it('and a port that is taken: one line', async () => {
    const first = await start()
    await expect(startKubeApi({ port: first.port })).rejects.toThrow(`port ${first.port} on 127.0.0.1 is in use`)
    await first.close()
  })
})
