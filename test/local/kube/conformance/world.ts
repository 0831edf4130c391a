// What the suites share: a client, a namespace of their own, a kind of their own (Gadget).
import { randomBytes } from 'node:crypto'
import type { Any, Client, Reply } from '../client.ts'

/** Unique, so that the suite can run twice against one server. */
const run = randomBytes(3).toString('hex')
export const group = `g${run}.conformance.dev`

export const gadgetSchema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 100 },
        replicas: { type: 'integer', default: 1 },
        color: { type: 'string', enum: ['red', 'green'], default: 'red' },
        name: { type: 'string', pattern: '^[a-z]+$', minLength: 2, maxLength: 8 },
        limit: { 'x-kubernetes-int-or-string': true },
        maybe: { type: 'string', nullable: true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, port: { type: 'integer' }, note: { type: 'string' } }
          }
        },
        list: { type: 'array', maxItems: 4, items: { type: 'integer' } },
        started: { type: 'string', format: 'date-time' }
      }
    },
    status: {
      type: 'object',
      properties: {
        replicas: { type: 'integer' },
        selector: { type: 'string' },
        phase: { type: 'string' },
        conditions: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
          items: {
            type: 'object',
            required: ['type', 'status'],
            properties: { type: { type: 'string' }, status: { type: 'string' }, reason: { type: 'string' } }
          }
        }
      }
    }
  }
}

export function crd (kind: string, schema: unknown, version: Any = {}): Any {
  const plural = `${kind.toLowerCase()}s`
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List`, ...version.names },
      versions: [{
        name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version.version
      }]
    }
  }
}

export class World {
  /** Set before the first test runs. */
  client!: Client
  readonly namespace = `conformance-${run}`
  #count = 0

  async setUp (): Promise<void> {
    await this.client.post('/api/v1/namespaces',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace } })
    // Pods are refused until a controller has made this; an embedded server may let them be without.
    const accounts = this.core('serviceaccounts', 'default')
    const { body } = await this.client.get('/api/v1/namespaces/default/serviceaccounts')
    if ((body?.items ?? []).length > 0) await this.client.eventually(accounts, ({ status }) => status === 200)
    await this.define(crd('Gadget', gadgetSchema, {
      names: { shortNames: [`gd${run}`], categories: ['toys'] },
      version: {
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector'
          }
        },
        additionalPrinterColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
          { name: 'Color', type: 'string', jsonPath: '.spec.color', priority: 1 },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
        ]
      }
    }))
  }

  async tearDown (): Promise<void> {
    await this.client.delete(`/api/v1/namespaces/${this.namespace}`)
    const { body } = await this.client.get(this.crds)
    for (const item of body.items as Any[]) {
      if (item.spec.group === group) await this.client.delete(`${this.crds}/${item.metadata.name}`)
    }
  }

  readonly crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

  /** Creates a definition and waits until its objects are served. */
  async define (definition: Any): Promise<void> {
    const reply = await this.client.post(this.crds, definition)
    if (reply.status !== 201) throw new Error(reply.text)
    const { plural } = definition.spec.names
    await this.client.eventually(`/apis/${group}/v1/namespaces/${this.namespace}/${plural}`,
      ({ status }) => status === 200)
  }

  /** A name that no other test uses. */
  name (prefix = 'x'): string {
    return `${prefix}-${++this.#count}`
  }

  core (plural: string, name?: string): string {
    return `/api/v1/namespaces/${this.namespace}/${plural}${name === undefined ? '' : `/${name}`}`
  }

  in (groupVersion: string, plural: string, name?: string): string {
    return `/apis/${groupVersion}/namespaces/${this.namespace}/${plural}${name === undefined ? '' : `/${name}`}`
  }

  gadgets (name?: string): string {
    return this.in(`${group}/v1`, 'gadgets', name)
  }

  gadget (name: string, spec: Any = { size: 3 }, metadata: Any = {}): Any {
    return { apiVersion: `${group}/v1`, kind: 'Gadget', metadata: { name, ...metadata }, spec }
  }

  configMap (name: string, data: Any = { a: '1' }, metadata: Any = {}): Any {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data }
  }

  async makeGadget (name: string, spec?: Any, metadata?: Any): Promise<Reply> {
    return await this.client.post(this.gadgets(), this.gadget(name, spec, metadata))
  }
}
