// Plain kubectl works against the embedded API: what a person at a terminal does with millrace.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Kubectl, rows } from './harness.ts'

const kubectl = new Kubectl()
const crds = join(import.meta.dirname, '../../crds')

const topic = (name: string, spec = ''): string => `
apiVersion: millrace.dev/v1alpha1
kind: Topic
metadata:
  name: ${name}
spec:
  cluster: events
  partitions: 6
  replicas: 3
${spec}`

const set = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  replicas: 2
  podManagementPolicy: Parallel
  updateStrategy: {type: OnDelete}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: broker
        image: millrace:dev
        ports: [{name: client, containerPort: 9090}]
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: client, port: 9090}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, labels: {app: web}}
spec: {nodeName: laptop, containers: [{name: broker, image: "millrace:dev"}]}
`

beforeAll(async () => {
  await kubectl.start()
  await kubectl.ok(['apply', '-f', crds])
})

afterAll(async () => { await kubectl.stop() })

describe('kubectl apply', () => {
  it('knows the definitions at once', async () => {
    const out = await kubectl.ok('get crd -o name')
    expect(out.trim().split('\n')).toHaveLength(readdirSync(crds).filter(name => name.endsWith('.yaml')).length)
    await kubectl.ok('wait --for=condition=Established crd --all --timeout=5s')
    expect(await kubectl.ok(['apply', '-f',
      crds])).toContain('customresourcedefinition.apiextensions.k8s.io/topics.millrace.dev')
  })

  it('creates, changes nothing the second time, then configures', async () => {
    const file = kubectl.file('topic.yaml', topic('orders'))
    expect(await kubectl.ok(`apply -f ${file}`)).toBe('topic.millrace.dev/orders created\n')
    expect(await kubectl.ok(`apply -f ${file}`)).toBe('topic.millrace.dev/orders unchanged\n')
    kubectl.file('topic.yaml', topic('orders', '  minInSync: 2'))
    expect(await kubectl.ok(`apply -f ${file}`)).toBe('topic.millrace.dev/orders configured\n')
    expect(await kubectl.ok(`diff -f ${file}`)).toBe('')
  })

  it('merges lists of built-in kinds, removing what went from the file', async () => {
    const file = kubectl.file('set.yaml', set)
    await kubectl.ok(`apply -f ${file}`)
    kubectl.file('set.yaml', set.replace('{name: B, value: "2"}', '{name: C, value: "3"}'))
    await kubectl.ok(`apply -f ${file}`)
    const env = await kubectl.ok(['get', 'sts', 'web', '-o',
      'jsonpath={.spec.template.spec.containers[0].env[*].name}'])
    expect(env).toBe('A C')
  })

  it('applies on the server side, with conflicts and force', async () => {
    const file = kubectl.file('ssa.yaml', topic('ssa'))
    expect(await kubectl.ok(`apply --server-side -f ${file}`)).toBe('topic.millrace.dev/ssa serverside-applied\n')
    await kubectl.ok('patch mrt ssa --type=merge -p {"spec":{"partitions":8}}')
    kubectl.file('ssa.yaml', topic('ssa').replace('partitions: 6', 'partitions: 9'))
    const refused = await kubectl.run(`apply --server-side -f ${file}`)
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining(
      'Apply failed with 1 conflict: conflict with "kubectl-patch" using millrace.dev/v1alpha1: .spec.partitions')])
    await kubectl.ok(`apply --server-side --force-conflicts -f ${file}`)
    expect(await kubectl.ok(['get', 'mrt', 'ssa', '-o', 'jsonpath={.spec.partitions}'])).toBe('9')
  })

  it('refuses what is misspelt, mistyped or against the rules, with the reason', async () => {
    const apply = async (text: string): Promise<string> => {
      const { code, err } = await kubectl.run('apply -f -', text)
      expect(code).toBe(1)
      return err
    }
    expect(await apply(topic('bad').replace('partitions', 'partitons'))).toContain('unknown field "spec.partitons"')
    expect(await apply(topic('bad').replace('partitions: 6', 'partitions: six')))
      .toContain('spec.partitions in body must be of type integer: "string"')
    expect(await apply(topic('bad', '  minInSync: 4'))).toContain('minInSync must not be greater than replicas')
    expect(await apply(topic('orders').replace('partitions: 6', 'partitions: 3'))).toContain('partitions can only grow')
    expect(await apply(topic('Bad_Name'))).toContain('a lowercase RFC 1123 subdomain')
    expect(await apply(set.replace('image: millrace:dev', 'imagee: millrace:dev'))).toContain('unknown field')
  })
})

describe('kubectl get', () => {
  it('prints tables by the printer columns, several kinds at once', async () => {
    expect(rows(await kubectl.ok('get mrt orders'))[0]?.slice(0, 2)).toEqual(['NAME', 'CLUSTER'])
    const all = await kubectl.ok('get mrc,mrt,statefulsets,pods,services')
    for (const name of ['topic.millrace.dev/orders', 'statefulset.apps/web', 'pod/web-0', 'service/web']) {
      expect(all).toContain(name)
    }
    expect(await kubectl.ok('get millrace')).toContain('orders')
    expect(await kubectl.ok('get all')).toContain('statefulset.apps/web')
  })

  it('prints wide, as YAML, as JSON and by path', async () => {
    expect(await kubectl.ok('get sts web -o wide')).toContain('millrace:dev')
    expect(await kubectl.ok('get mrt orders -o yaml')).toContain('kind: Topic')
    expect(JSON.parse(await kubectl.ok('get mrt -o json'))).toMatchObject({ kind: 'List' })
    expect(await kubectl.ok('get mrt orders -o name')).toBe('topic.millrace.dev/orders\n')
    expect(await kubectl.ok('get topics.v1alpha1.millrace.dev orders -o jsonpath={.spec.cluster}')).toBe('events')
  })

  it('selects by labels and fields', async () => {
    expect(await kubectl.ok('get pods -l app=web -o name')).toBe('pod/web-0\n')
    expect((await kubectl.run('get pods -l app=other')).err).toContain('No resources found')
    const byField = await kubectl.ok('get pods --field-selector spec.nodeName=laptop,status.phase=Pending -o name')
    expect(byField).toBe('pod/web-0\n')
    expect(await kubectl.ok('get mrt -A --sort-by=.metadata.name -o name')).toContain('orders')
  })

  it('gives long lists in chunks', async () => {
    const many = Array.from({ length: 12 }, (_, at) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: chunk-${at}, labels: {chunk: "1"}}\n`).join('---\n')
    await kubectl.ok('apply -f -', many)
    expect(rows(await kubectl.ok('get cm -l chunk --chunk-size=5 --no-headers'))).toHaveLength(12)
  })

  it('watches', async () => {
    const child = kubectl.spawn(['get', 'cm', '-w', '--output-watch-events', '-l', 'watched=1'])
    const lines: string[][] = []
    const enough = new Promise<void>(resolve => {
      let text = ''
      child.stdout.on('data', chunk => {
        text += String(chunk)
        lines.splice(0, Infinity, ...rows(text).slice(1))
        if (lines.length >= 3) resolve()
      })
    })
    await kubectl.ok('create -f -', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen, labels: {watched: "1"}}\n')
    await kubectl.ok('patch cm seen --type=merge -p {"data":{"a":"b"}}')
    await kubectl.ok('delete cm seen')
    await enough
    child.kill()
    // The first event may still be part of the initial list.
    expect(lines.map(line => line.slice(0, 3))).toEqual([
      ['ADDED', 'seen', expect.any(String)], ['MODIFIED', 'seen', '1'], ['DELETED', 'seen', '1']])
  })
})

describe('kubectl on one object', () => {
  it('describes', async () => {
    expect(await kubectl.ok('describe mrt orders')).toMatch(/Partitions: +6/)
    expect(await kubectl.ok('describe sts web')).toContain('Replicas:')
    expect(await kubectl.ok('describe pod web-0')).toContain('Status:')
    expect(await kubectl.ok('describe svc web')).toContain('TargetPort:')
  })

  it('labels, annotates, patches, edits and scales', async () => {
    await kubectl.ok('label mrt orders team=a')
    await kubectl.ok('annotate mrt orders note=x')
    await kubectl.ok(['patch', 'mrt', 'orders', '--type=json', '-p',
      '[{"op":"replace","path":"/spec/partitions","value":7}]'])
    const out = await kubectl.ok('get mrt orders -o json')
    expect(JSON.parse(out)).toMatchObject({ metadata: { labels: { team: 'a' } }, spec: { partitions: 7 } })
    await kubectl.ok('label mrt orders team-')
    await kubectl.ok('scale sts web --replicas=5')
    expect(rows(await kubectl.ok('get sts web'))[1]?.[1]).toBe('0/5')
    const refused = await kubectl.run('scale sts web --current-replicas=1 --replicas=2')
    expect(refused.err).toContain('Expected replicas to be 1, was 5')
    await kubectl.ok('replace -f -', await kubectl.ok('get mrt orders -o yaml'))
    expect((await kubectl.run('edit mrt orders')).err +
      (await kubectl.run('edit mrt orders')).out).toContain('no changes made')
    await kubectl.ok('set image sts/web broker=millrace:next')
    expect(await kubectl.ok('get sts web -o jsonpath={.spec.template.spec.containers[0].image}')).toBe('millrace:next')
  })

  it('scales a custom kind', async () => {
    await kubectl.ok('apply -f -', `
apiVersion: millrace.dev/v1alpha1
kind: Cluster
metadata: {name: events}
spec: {brokers: 3, storage: {size: 1Gi}}
`)
    await kubectl.ok('scale cluster.millrace.dev/events --replicas=5')
    expect(await kubectl.ok('get mrc events -o jsonpath={.spec.brokers}')).toBe('5')
  })

  it('waits for conditions, for values and for the end', async () => {
    const waiting = kubectl.ok('wait --for=condition=Ready mrt/orders --timeout=20s')
    await kubectl.ok(['patch', 'mrt', 'orders', '--subresource=status', '--type=merge', '-p', JSON.stringify({
      status: {
        conditions: [{
          type: 'Ready', status: 'True', reason: 'Ok', message: 'fine', lastTransitionTime: '2026-01-01T00:00:00Z'
        }]
      }
    })])
    expect(await waiting).toContain('topic.millrace.dev/orders condition met')
    expect(rows(await kubectl.ok('get mrt orders'))[1]).toContain('True')
    await kubectl.ok('wait --for=jsonpath={.spec.partitions}=7 mrt/orders --timeout=5s')
    const end = kubectl.ok('wait --for=delete mrt/ssa --timeout=20s')
    await kubectl.ok('delete mrt ssa')
    await end
  })

  it('shows logs by the provider', async () => {
    expect((await kubectl.run('logs web-0')).err).toContain('nobody runs pods here')
    kubectl.api.onLogs(async function * (pod, { tailLines, container }) {
      await Promise.resolve()
      yield `${pod.metadata.name} ${container} ${tailLines}\n`
      yield 'second\n'
    })
    expect(await kubectl.ok('logs web-0 --tail=7')).toBe('web-0 broker 7\nsecond\n')
    expect(await kubectl.ok('logs -f web-0 -c broker')).toContain('second')
    expect((await kubectl.run('logs web-0 -c nobody')).code).toBe(1)
  })
})

describe('kubectl create', () => {
  it('makes objects from words, which it sends as protobuf', async () => {
    await kubectl.ok('create namespace made')
    await kubectl.ok('-n made create configmap words --from-literal=a=b')
    await kubectl.ok('-n made create secret generic words --from-literal=p=q')
    await kubectl.ok('-n made create deployment words --image=nginx:1 --replicas=0 --port=80')
    await kubectl.ok('-n made create role words --verb=get,list --resource=pods')
    await kubectl.ok('-n made create rolebinding words --role=words --serviceaccount=made:default')
    await kubectl.ok('-n made create service clusterip words --tcp=80:8080')
    await kubectl.ok('-n made create poddisruptionbudget words --selector=a=b --max-unavailable=10%')
    const get = async (kind: string): Promise<Record<string, unknown>> =>
      JSON.parse(await kubectl.ok(`-n made get ${kind} words -o json`)) as Record<string, unknown>
    expect(await get('configmap')).toMatchObject({ data: { a: 'b' } })
    expect(await get('secret')).toMatchObject({ data: { p: 'cQ==' }, type: 'Opaque' })
    expect(await get('deployment')).toMatchObject({
      spec: {
        replicas: 0,
        template: { spec: { containers: [{ name: 'nginx', image: 'nginx:1', ports: [{ containerPort: 80 }] }] } }
      }
    })
    expect(await get('role')).toMatchObject({
      rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }]
    })
    expect(await get('service')).toMatchObject({ spec: { ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] } })
    expect(await get('pdb')).toMatchObject({ spec: { maxUnavailable: '10%' } })
    expect((await kubectl.run('-n made create configmap words')).err).toContain('configmaps "words" already exists')
    await kubectl.ok('delete ns made')
  })
})

describe('kubectl delete', () => {
  it('deletes by name, file and label, and pods by force', async () => {
    await kubectl.ok('delete pod web-0 --grace-period=0 --force')
    expect((await kubectl.run('get pod web-0')).err).toContain('pods "web-0" not found')
    await kubectl.ok('delete cm -l chunk')
    expect((await kubectl.run('get cm -l chunk')).err).toContain('No resources found')
    await kubectl.ok(`delete -f ${kubectl.file('one.yaml', topic('orders'))}`)
    await kubectl.ok('delete sts web --cascade=orphan')
    await kubectl.ok('delete svc web --cascade=foreground')
  })

  it('deletes a namespace with what is in it', async () => {
    await kubectl.ok('apply -f -', 'apiVersion: v1\nkind: Namespace\nmetadata: {name: short}\n')
    await kubectl.ok('apply -n short -f -', topic('inside'))
    await kubectl.ok('delete ns short --timeout=20s')
    expect((await kubectl.run('get ns short')).code).toBe(1)
  })

  it('deletes definitions with their objects', async () => {
    await kubectl.ok('apply -f -', topic('last'))
    await kubectl.ok('delete crd topics.millrace.dev --timeout=20s')
    expect((await kubectl.run('get mrt')).err).toContain('could not find the requested resource')
  })
})

describe('kubectl about the server', () => {
  it('lists versions, resources and fields', async () => {
    expect(await kubectl.ok('version')).toContain('Server Version: v1.')
    expect(await kubectl.ok('api-versions')).toContain('apps/v1')
    expect(await kubectl.ok('api-resources --api-group=apps')).toContain('statefulsets')
    expect(await kubectl.ok('explain statefulset.spec.updateStrategy')).toContain('FIELD: updateStrategy')
    expect(await kubectl.ok('explain cluster.spec.storage --api-version=millrace.dev/v1alpha1')).toContain('size')
    expect(await kubectl.ok('auth can-i create pods')).toBe('yes\n')
    expect(await kubectl.ok('get --raw /readyz')).toBe('ok')
  })
})
