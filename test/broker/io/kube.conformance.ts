// What every implementation of Kube keeps to: reads of what is stored now, writes that compare and swap.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KubeError } from '../../../broker/io/ports.ts'
import type { Kube, KubeErrorKind, KubeKind, KubeObject } from '../../../broker/io/ports.ts'

export interface KubeHarness {
  /** Two clients of one empty namespace. */
  readonly kube: Kube
  readonly other: Kube
  /** Lets time pass until it settles. */
  run<T> (promise: Promise<T>): Promise<T>
  close (): Promise<void>
}

const leases: KubeKind = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }
const maps: KubeKind = { apiVersion: 'v1', plural: 'configmaps' }

function lease (name: string, holderIdentity: string, metadata: object = {}): KubeObject {
  return { apiVersion: leases.apiVersion, kind: 'Lease', metadata: { name, ...metadata }, spec: { holderIdentity } }
}

const holderOf = (object: KubeObject | undefined): unknown =>
  (object?.spec as { holderIdentity?: string } | undefined)?.holderIdentity

export function kubeConformance (name: string, make: () => Promise<KubeHarness>): void {
  describe(`${name}: Kube`, () => {
    let harness: KubeHarness
    let kube: Kube
    let run: KubeHarness['run']

    beforeEach(async () => {
      harness = await make()
      kube = harness.kube
      run = promise => harness.run(promise)
    })
    afterEach(async () => { await harness.close() })

    async function kindOf (promise: Promise<unknown>): Promise<KubeErrorKind> {
      const error = await run(promise.then(() => undefined, (reason: unknown) => reason))
      if (!(error instanceof KubeError)) throw new Error(`rejects with a KubeError, not ${String(error)}`)
      return error.kind
    }

    it('stores an object and gives it back', async () => {
      expect(await run(kube.get(leases, 'a'))).toBeUndefined()
      const made = await run(kube.create(leases, lease('a', 'me', { annotations: { 'x/y': '1' } })))
      expect(made.metadata.uid).toMatch(/./)
      expect(made.metadata.resourceVersion).toMatch(/./)
      const read = await run(harness.other.get(leases, 'a'))
      expect(read).toMatchObject({ apiVersion: leases.apiVersion, kind: 'Lease' })
      expect(read?.metadata).toMatchObject({
        name: 'a', annotations: { 'x/y': '1' }, uid: made.metadata.uid, resourceVersion: made.metadata.resourceVersion
      })
      expect(holderOf(read)).toBe('me')
      expect(await run(kube.get(maps, 'a'))).toBeUndefined()
    })

    it('creates once', async () => {
      await run(kube.create(leases, lease('a', 'me')))
      expect(await kindOf(harness.other.create(leases, lease('a', 'you')))).toBe('exists')
      expect(holderOf(await run(kube.get(leases, 'a')))).toBe('me')
    })

    it('replaces only what was read', async () => {
      const first = await run(kube.create(leases, lease('a', 'me')))
      const second = await run(harness.other.replace(leases, { ...first, spec: { holderIdentity: 'you' } }))
      expect(second.metadata.uid).toBe(first.metadata.uid)
      expect(second.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion)
      expect(await kindOf(kube.replace(leases, { ...first, spec: { holderIdentity: 'me again' } }))).toBe('conflict')
      expect(holderOf(await run(kube.get(leases, 'a')))).toBe('you')
    })

    it('replaces nothing blindly, nothing of another uid, nothing that is gone', async () => {
      const made = await run(kube.create(leases, lease('a', 'me')))
      const { resourceVersion } = made.metadata
      expect(await kindOf(kube.replace(leases, lease('a', 'you')))).toBe('invalid')
      expect(await kindOf(kube.replace(leases, lease('a', 'you', { resourceVersion, uid: 'other' })))).toBe('conflict')
      expect(await kindOf(kube.replace(leases, lease('b', 'you', { resourceVersion })))).toBe('not-found')
    })

    it('lets one of several writers win', async () => {
      const made = await run(kube.create(leases, lease('a', 'none')))
      const outcomes = await run(Promise.allSettled([0, 1, 2, 3].map(index =>
        (index % 2 === 0 ? kube : harness.other).replace(leases, { ...made, spec: { holderIdentity: `${index}` } }))))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
      expect(holderOf(await run(kube.get(leases, 'a')))).toBe(`${winner}`)
    })

    it('lists by labels, in order of name', async () => {
      await run(kube.create(leases, lease('b', '1', { labels: { 'millrace.dev/cluster': 'events', x: '1' } })))
      await run(kube.create(leases, lease('a', '2', { labels: { 'millrace.dev/cluster': 'events' } })))
      await run(kube.create(leases, lease('c', '3', { labels: { 'millrace.dev/cluster': 'other' } })))
      const names = async (labels: Record<string, string>): Promise<string[]> =>
        (await run(kube.list(leases, labels))).map(({ metadata }) => metadata.name)
      expect(await names({ 'millrace.dev/cluster': 'events' })).toEqual(['a', 'b'])
      expect(await names({ 'millrace.dev/cluster': 'events', x: '1' })).toEqual(['b'])
      expect(await names({ x: '2' })).toEqual([])
      const [first] = await run(kube.list(leases, { x: '1' }))
      expect(first).toMatchObject({ apiVersion: leases.apiVersion, kind: 'Lease' })
    })

    it('tells the versions that are stored by labels', async () => {
      const labels = { 'millrace.dev/cluster': 'events' }
      const a = await run(kube.create(leases, lease('a', '1', { labels })))
      await run(kube.create(leases, lease('b', '2', { labels })))
      await run(kube.create(leases, lease('c', '3', { labels: { 'millrace.dev/cluster': 'other' } })))
      const b = await run(kube.get(leases, 'b'))
      const versionOf = (object: KubeObject | undefined): object =>
        ({ uid: object?.metadata.uid, resourceVersion: object?.metadata.resourceVersion })
      expect(await run(harness.other.versions(leases, labels))).toEqual(new Map([
        ['a', versionOf(a)], ['b', versionOf(b)]
      ]))
      const second = await run(kube.replace(leases, { ...a, spec: { holderIdentity: 'you' } }))
      expect((await run(harness.other.versions(leases, labels))).get('a')).toEqual(versionOf(second))
      expect(await run(kube.versions(leases, { x: '1' }))).toEqual(new Map())
    })

    it('removes only what was read, and minds nothing that is gone', async () => {
      const first = await run(kube.create(leases, lease('a', 'me')))
      const second = await run(kube.replace(leases, { ...first, spec: { holderIdentity: 'you' } }))
      const uid = second.metadata.uid!
      const resourceVersion = second.metadata.resourceVersion!
      expect(await kindOf(kube.remove(leases, 'a', { uid, resourceVersion: first.metadata.resourceVersion! })))
        .toBe('conflict')
      expect(await kindOf(kube.remove(leases, 'a', { uid: 'other', resourceVersion }))).toBe('conflict')
      await run(kube.remove(leases, 'a', { uid, resourceVersion }))
      await run(kube.remove(leases, 'a', { uid, resourceVersion }))
      expect(await run(kube.get(leases, 'a'))).toBeUndefined()
    })
  })
}
