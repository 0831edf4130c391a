import { describe, expect, it } from 'vitest'
import type { Any, Reply } from '../client.ts'
import { media } from '../client.ts'
import type { World } from './world.ts'

export function builtinSuite (world: World): void {
  const messages = (reply: Reply): string[] =>
    (reply.body.details?.causes as Any[] ?? []).map(cause => `${cause.field}: ${cause.message}`)

  describe('leases', () => {
    const lease = async (spec: Any): Promise<Reply> =>
      await world.client.post(world.in('coordination.k8s.io/v1', 'leases'),
      { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: world.name('lease') }, spec })

    it('take times with six digits', async () => {
      const { status, body } = await lease({ holderIdentity: '0', renewTime: '2026-01-02T03:04:05.123456Z' })
      expect([status, body.spec.renewTime]).toEqual([201, '2026-01-02T03:04:05.123456Z'])
      const east = await lease({ acquireTime: '2026-01-02T03:04:05.000001+02:00' })
      expect(east.body.spec.acquireTime).toBe('2026-01-02T01:04:05.000001Z')
    })

    it('refuse the three digits of a JavaScript date, and anything else', async () => {
      for (const renewTime of ['2026-01-02T03:04:05.123Z', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05.1234567Z',
        'now']) {
        const { status, body } = await lease({ renewTime })
        expect([status, body.reason]).toEqual([400, 'BadRequest'])
        expect(body.message).toContain('Lease in version "v1" cannot be handled as a Lease: parsing time')
      }
    })

    it('want a duration above zero', async () => {
      expect(messages(await lease({ leaseDurationSeconds: 0 })))
        .toEqual(['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'])
    })
  })

  describe('stateful sets', () => {
    const path = (name?: string): string => world.in('apps/v1', 'statefulsets', name)
    const set = (name: string, spec: Any = {}): Any => ({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name },
      spec: {
        replicas: 0,
        serviceName: name,
        selector: { matchLabels: { a: name } },
        template: { metadata: { labels: { a: name } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } },
        ...spec
      }
    })

    it('take the defaults of a real server', async () => {
      const { status, body } = await world.client.post(path(), set(world.name('sts')))
      expect(status).toBe(201)
      expect(body.spec).toMatchObject({
        podManagementPolicy: 'OrderedReady',
        revisionHistoryLimit: 10,
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' }
      })
      expect(body.spec.template.spec).toMatchObject({
        restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', terminationGracePeriodSeconds: 30,
          schedulerName: 'default-scheduler'
      })
      expect(body.spec.template.spec.containers[0]).toMatchObject({
        imagePullPolicy: 'IfNotPresent', terminationMessagePolicy: 'File', resources: {}
      })
    })

    it('keep what cannot be changed, and say so', async () => {
      const name = world.name('sts')
      await world.client.post(path(), set(name))
      const reply = await world.client.patch(path(name), media.merge, { spec: { serviceName: 'other' } })
      expect(reply.status).toBe(422)
      // As Kubernetes says it up to 1.36, or since.
      expect(reply.body.message).toMatch(new RegExp(`^StatefulSet\\.apps "${name}" is invalid: (spec: Forbidden: ` +
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', " +
        "'updateStrategy',.* are forbidden|spec\\.serviceName: .*: field is immutable)$"))
      const allowed = await world.client.patch(path(name), media.merge, { spec: { minReadySeconds: 1 } })
      expect(allowed.status).toBe(200)
    })

    it('want a selector that matches, containers and sane values', async () => {
      const post = async (spec: Any): Promise<string[]> =>
        messages(await world.client.post(path(), set(world.name('sts'), spec)))
      expect(await post({ selector: { matchLabels: { a: 'other' } } })).toEqual(
        [expect.stringContaining('`selector` does not match template `labels`')])
      const container = { name: 'c', image: 'i' }
      const pod = (spec: Any): Any =>
        ({ template: { metadata: { labels: { a: 'x' } }, spec }, selector: { matchLabels: { a: 'x' } } })
      expect(await post(pod({ containers: [] }))).toEqual(['spec.template.spec.containers: Required value'])
      expect(await post(pod({ containers: [{ name: 'C!', image: 'i' }] }))).toEqual(
        [expect.stringContaining('spec.template.spec.containers[0].name: Invalid value: "C!"')])
      expect(await post(pod({ containers: [container], restartPolicy: 'Never' }))).toEqual(
        ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'])
      expect(await post(pod({ containers: [{ ...container,
        volumeMounts: [{ name: 'no', mountPath: '/x' }] }] }))).toEqual(
        ['spec.template.spec.containers[0].volumeMounts[0].name: Not found: "no"'])
      expect(await post({ replicas: -1 })).toEqual(
        ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'])
    })

    it('refuse values of the wrong type', async () => {
      const { status, body } = await world.client.post(path(), set(world.name('sts'), { replicas: 'three' }))
      expect([status, body.reason]).toEqual([400, 'BadRequest'])
      expect(body.message).toContain('StatefulSet in version "v1" cannot be handled as a StatefulSet: json: ' +
        'cannot unmarshal string ')
    })

    it('bring quantities into their one form', async () => {
      const resources = { requests: { cpu: '0.5', memory: '1.5Gi' }, limits: { memory: 2147483648 } }
      const spec = set('x').spec.template.spec
      const { body } = await world.client.post(path(), set(world.name('sts'), {
        selector: { matchLabels: { a: 'q' } },
        template: { metadata: { labels: { a: 'q' } },
          spec: { ...spec, containers: [{ name: 'c', image: 'i', resources }] } }
      }))
      expect(body.spec.template.spec.containers[0].resources)
        .toEqual({ requests: { cpu: '500m', memory: '1536Mi' }, limits: { memory: '2147483648' } })
    })
  })

  describe('pods', () => {
    const make = async (spec: Any = {}): Promise<Any> => {
      const name = world.name('pod')
      const reply = await world.client.post(world.core('pods'), {
        apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [{ name: 'c', image: 'i:1' }], ...spec }
      })
      expect(reply.status, reply.text).toBe(201)
      return reply.body
    }

    it('go at once when they run nowhere', async () => {
      const { metadata, status } = await make()
      expect(status).toMatchObject({ phase: 'Pending', qosClass: 'BestEffort' })
      const reply = await world.client.delete(world.core('pods', metadata.name as string))
      expect(reply.body.kind).toBe('Pod')
      expect((await world.client.get(world.core('pods', metadata.name as string))).status).toBe(404)
    })

    it('wait for their grace period on a node, unless it is cut to zero', async () => {
      const { metadata } = await make({ nodeName: 'some-node', terminationGracePeriodSeconds: 40 })
      const path = world.core('pods', metadata.name as string)
      const { body } = await world.client.delete(path)
      expect(body.metadata.deletionGracePeriodSeconds).toBe(40)
      expect((await world.client.get(path)).status).toBe(200)
      await world.client.delete(path, { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 })
      expect((await world.client.get(path)).status).toBe(404)
    })

    it('keep their spec but for the image', async () => {
      const { metadata } = await make()
      const path = world.core('pods', metadata.name as string)
      const image = await world.client.patch(path, media.strategic,
        { spec: { containers: [{ name: 'c', image: 'i:2' }] } })
      expect(image.status).toBe(200)
      const { status, body } = await world.client.patch(path, media.merge, { spec: { hostname: 'x' } })
      expect([status, body.message]).toEqual([422,
        expect.stringContaining('pod updates may not change fields other than')])
      await world.client.delete(path)
    })

    it('are selected by phase and node', async () => {
      const { metadata } = await make({ nodeName: 'picked' })
      const selector = 'spec.nodeName%3Dpicked,status.phase%3DPending'
      const { body } = await world.client.get(`${world.core('pods')}?fieldSelector=${selector}`)
      expect((body.items as Any[]).map(item => item.metadata.name as string)).toEqual([metadata.name])
      await world.client.delete(world.core('pods', metadata.name as string),
        { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 })
    })
  })

  describe('services, budgets, secrets, roles', () => {
    it('fill in and keep the cluster IP', async () => {
      const name = world.name('svc')
      const service = { apiVersion: 'v1', kind: 'Service', metadata: { name },
        spec: { selector: { a: 'b' }, ports: [{ port: 80 }] } }
      const { body } = await world.client.post(world.core('services'), service)
      expect(body.spec).toMatchObject({ type: 'ClusterIP', sessionAffinity: 'None',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] })
      expect(body.spec.clusterIP).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
      const put = await world.client.put(world.core('services', name), service)
      expect([put.status, put.body.spec.clusterIP]).toEqual([200, body.spec.clusterIP])
      const changed = await world.client.patch(world.core('services', name), media.merge,
        { spec: { clusterIP: 'None', clusterIPs: ['None'] } })
      expect(changed.status).toBe(422)
      const bad = await world.client.post(world.core('services'),
        { ...service, metadata: { name: `${name}-b` }, spec: { ports: [{ port: 0 }] } })
      expect(messages(bad)).toContain('spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive')
    })

    it('let headless services be without an address', async () => {
      const { body } = await world.client.post(world.core('services'), {
        apiVersion: 'v1', kind: 'Service', metadata: { name: world.name('svc') },
          spec: { clusterIP: 'None', publishNotReadyAddresses: true }
      })
      expect(body.spec).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'] })
    })

    it('refuse a budget with both bounds', async () => {
      const reply = await world.client.post(world.in('policy/v1', 'poddisruptionbudgets'), {
        apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: world.name('pdb') },
          spec: { minAvailable: 1, maxUnavailable: '10%' }
      })
      expect(reply.status).toBe(422)
      expect(messages(reply)[0]).toContain('minAvailable and maxUnavailable cannot be both set')
    })

    it('turn stringData into data, and want base64', async () => {
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: world.name('secret') } }
      const { body } = await world.client.post(world.core('secrets'), { ...secret, stringData: { a: 'b' } })
      expect([body.type, body.data, body.stringData]).toEqual(['Opaque', { a: 'Yg==' }, undefined])
      const bad = await world.client.post(world.core('secrets'), { ...secret, data: { a: '%' } })
      expect([bad.status, bad.body.message]).toEqual([400, expect.stringContaining('illegal base64 data')])
    })

    it('keep the role of a binding', async () => {
      const rbac = 'rbac.authorization.k8s.io'
      const name = world.name('rb')
      const { status } = await world.client.post(world.in(`${rbac}/v1`, 'rolebindings'), {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name },
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'r' },
        subjects: [{ kind: 'ServiceAccount', name: 's', namespace: world.namespace }]
      })
      expect(status).toBe(201)
      const reply = await world.client.patch(world.in(`${rbac}/v1`, 'rolebindings', name), media.merge,
        { roleRef: { name: 'q' } })
      expect(messages(reply)).toEqual([expect.stringMatching(/cannot change roleRef|roleRef: .*: field is immutable/)])
    })

    it('show events of both groups as the same objects', async () => {
      const name = world.name('event')
      const reply = await world.client.post(world.in('events.k8s.io/v1', 'events'), {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name },
        eventTime: '2026-01-02T03:04:05.000000Z',
        reportingController: 'millrace.dev/operator',
        reportingInstance: 'operator-0',
        action: 'Test',
        reason: 'Tested',
        type: 'Normal',
        note: 'hello',
        regarding: { kind: 'ConfigMap', name: 'x', namespace: world.namespace, apiVersion: 'v1' }
      })
      expect(reply.status, reply.text).toBe(201)
      const { body } = await world.client.get(world.core('events', name))
      expect(body).toMatchObject({
        apiVersion: 'v1', message: 'hello', involvedObject: { name: 'x' }, reportingComponent: 'millrace.dev/operator'
      })
      const list = await world.client.get(`${world.core('events')}?fieldSelector=involvedObject.name%3Dx`)
      expect(list.body.items).toHaveLength(1)
    })

    it('let a claim grow once it is bound, and never shrink', async () => {
      const name = world.name('pvc')
      const path = world.core('persistentvolumeclaims', name)
      const size = async (storage: string): Promise<Reply> =>
        await world.client.patch(path, media.merge, { spec: { resources: { requests: { storage } } } })
      const { body } = await world.client.post(world.core('persistentvolumeclaims'), {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name },
        spec: { accessModes: ['ReadWriteOnce'], storageClassName: '', resources: { requests: { storage: '1Gi' } } }
      })
      expect(body.status.phase).toBe('Pending')
      expect((await size('2Gi')).status).toBe(422)
      await world.client.delete(path)
    })
  })
}
