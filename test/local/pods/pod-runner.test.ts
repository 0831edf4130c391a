import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isReady, portsOf } from '../../../local/pods/types.ts'
import { alive, hear, LocalWorld, statefulSet, until } from './fixtures.ts'

let world: LocalWorld
beforeEach(async () => { world = await LocalWorld.start() })
afterEach(async () => {
  await world.close()
  expect(world.errors).toEqual([])
})

const lives = (pod: string): number => readFileSync(join(world.folder, `volumes/data-${pod}/lives`), 'utf8').length

describe('a pod', () => {
  it('is a process with ports, volumes and an environment of its own', async () => {
    await world.createSet(statefulSet(2))
    await world.ready(2)
    const [first, second] = world.pods()
    expect(first?.metadata.labels).toMatchObject({ 'app.kubernetes.io/component': 'broker', app: 'fake' })
    expect(first?.status).toMatchObject({
      phase: 'Running',
      podIP: '127.0.0.1',
      containerStatuses: [{ name: 'broker', ready: true, started: true, restartCount: 0 }]
    })
    const ports = [...Object.values(portsOf(first!)), ...Object.values(portsOf(second!))]
    expect(new Set(ports).size).toBe(4)
    expect(await hear(portsOf(second!).client!)).toBe('events-1')
    expect(world.pid('events-0')).not.toBe(world.pid('events-1'))

    const line = (await world.log('events-0')).split('\n').find(each => each.startsWith('env '))
    const env = JSON.parse(line!.slice(4)) as Record<string, string>
    expect(env).toMatchObject({
      MILLRACE_POD_NAME: 'events-0',
      MILLRACE_DATA: join(world.folder, 'volumes/data-events-0'),
      HOST: 'events-0.events-brokers',
      MILLRACE_LISTEN_CLIENT: `127.0.0.1:${portsOf(first!).client}`,
      MILLRACE_ADVERTISE_METRICS: `127.0.0.1:${portsOf(first!).metrics}`,
      MILLRACE_KUBE: world.api.url
    })
    expect(JSON.parse(readFileSync(env.CONFIG!, 'utf8'))).toEqual({ a: 1 })
    expect(env).not.toHaveProperty('NODE_OPTIONS')
    expect(env).not.toHaveProperty('VITEST')
  })

  it('is started again when its process dies, with the same ports', async () => {
    await world.createSet(statefulSet(1))
    await world.ready(1)
    const pid = world.pid('events-0')
    const { uid } = world.pod('events-0')!.metadata
    const ports = portsOf(world.pod('events-0')!)
    process.kill(pid, 'SIGKILL')
    await until('another process', () => world.pid('events-0') !== pid)
    await until('ready again', () => world.pod('events-0')?.status?.containerStatuses?.[0]?.restartCount === 1 &&
      isReady(world.pod('events-0')!))
    expect(alive(pid)).toBe(false)
    expect(portsOf(world.pod('events-0')!)).toEqual(ports)
    expect(world.pod('events-0')!.metadata.uid).toBe(uid)
    expect(world.pod('events-0')!.status?.containerStatuses?.[0]).toMatchObject({
      lastState: { terminated: { exitCode: 137, signal: 9, reason: 'Error' } }
    })
    expect(lives('events-0')).toBe(2)
    expect(await world.log('events-0', true)).toContain('env {')
  })

  it('that keeps dying is started again within a second, and not in a busy loop', async () => {
    await world.createSet(statefulSet(1, { FAKE_MODE: 'crash' }))
    const restarts = (): number => world.pod('events-0')?.status?.containerStatuses?.[0]?.restartCount ?? 0
    await until('four restarts', () => restarts() >= 4)
    const [before, begun] = [restarts(), performance.now()]
    await until('two more', () => restarts() >= before + 2)
    const eachMs = (performance.now() - begun) / 2
    expect(eachMs).toBeGreaterThan(300)
    expect(world.pod('events-0')?.status).toMatchObject({
      containerStatuses: [{ ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } }]
    })
  })

  it('is unready while its probe says so', async () => {
    await world.createSet(statefulSet(1))
    await world.ready(1)
    const flag = join(world.folder, 'volumes/data-events-0/unready')
    writeFileSync(flag, '')
    await until('unready', () => !isReady(world.pod('events-0')!))
    expect(world.pod('events-0')?.status?.containerStatuses?.[0]).toMatchObject({ ready: false, restartCount: 0 })
    rmSync(flag)
    await world.ready(1)
  })

  it('gets SIGTERM when it is deleted, and another takes its place and its volume', async () => {
    await world.createSet(statefulSet(1))
    await world.ready(1)
    const { uid } = world.pod('events-0')!.metadata
    const pid = world.pid('events-0')
    await world.api.delete('pods', 'default', 'events-0')
    await until('another pod', () => world.pod('events-0') !== undefined && world.pod('events-0')!.metadata.uid !== uid)
    await world.ready(1)
    expect(alive(pid)).toBe(false)
    expect(lives('events-0')).toBe(2)
    expect(await world.log('events-0', true)).toContain('told to stop')
    expect(world.pod('events-0')!.status?.containerStatuses?.[0]?.restartCount).toBe(0)
  })

  it('that is deleted by force is killed, and never runs beside the next one', async () => {
    await world.createSet(statefulSet(1, { FAKE_MODE: 'stubborn' }))
    await world.ready(1)
    const pid = world.pid('events-0')
    let overlapped = false
    const end = world.api.watch('pods', () => {
      const next = world.pid('events-0')
      if (next !== 0 && next !== pid && alive(pid)) overlapped = true
    })
    await world.api.delete('pods', 'default', 'events-0', { gracePeriodSeconds: 0 })
    await until('another process', () => ![0, pid].includes(world.pid('events-0')))
    await world.ready(1)
    end()
    expect(overlapped).toBe(false)
  })

  it('that does not end is killed after its grace period', async () => {
    const set = statefulSet(1, { FAKE_MODE: 'stubborn' })
    await world.createSet(set)
    await world.ready(1)
    const pid = world.pid('events-0')
    await world.api.delete('pods', 'default', 'events-0', { gracePeriodSeconds: 1 })
    await until('the process is gone', () => !alive(pid))
    await world.ready(1)
  })

  it('waits for what its environment needs', async () => {
    await world.api.delete('configmaps', 'default', 'events-config')
    await world.createSet(statefulSet(1))
    const status = (): string => JSON.stringify(world.pod('events-0')?.status ?? '')
    await until('a reason', () => status().includes('no ConfigMap events-config'))
    expect(world.pod('events-0')?.status).toMatchObject({
      phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'CreateContainerConfigError' } } }]
    })
    await world.api.create('configmaps', { metadata: { name: 'events-config', namespace: 'default' }, data: {} })
    await world.ready(1)
  })

  it('of another program says that it does not run here', async () => {
    await world.api.create('pods', {
      metadata: { name: 'web', namespace: 'default' }, spec: { containers: [{ name: 'web', image: 'nginx' }] }
    })
    await until('a reason', () => JSON.stringify(world.pod('web')?.status ?? '').includes('ErrImageNeverPull'))
    await world.api.delete('pods', 'default', 'web')
    await until('gone', () => world.pod('web') === undefined)
  })
})

describe('a claim', () => {
  it('is bound, and keeps its folder when the set shrinks', async () => {
    await world.createSet(statefulSet(2))
    await world.ready(2)
    expect(world.api.list('persistentvolumeclaims').map(({ status }) => (status as { phase: string }).phase))
      .toEqual(['Bound', 'Bound'])
    await world.api.patch('statefulsets.apps', 'default', 'events', { spec: { replicas: 1 } })
    await until('one pod', () => world.pods().length === 1)
    expect(lives('events-1')).toBe(1)
    await world.api.patch('statefulsets.apps', 'default', 'events', { spec: { replicas: 2 } })
    await world.ready(2)
    expect(lives('events-1')).toBe(2)
  })

  it('takes its folder with it when it is deleted, and a new one begins empty', async () => {
    await world.createSet(statefulSet(1))
    await world.ready(1)
    await world.api.patch('statefulsets.apps', 'default', 'events', { spec: { replicas: 0 } })
    await until('no pod', () => world.pods().length === 0)
    await world.api.delete('persistentvolumeclaims', 'default', 'data-events-0')
    await until('no folder', () => !existsSync(join(world.folder, 'volumes/data-events-0')))
    await world.api.patch('statefulsets.apps', 'default', 'events', { spec: { replicas: 1 } })
    await world.ready(1)
    expect(lives('events-0')).toBe(1)
    expect(readdirSync(join(world.folder, 'volumes'))).toEqual(['data-events-0'])
  })
})
