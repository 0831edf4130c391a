import { describe, expect, it } from 'vitest'
import { podEnvironment } from '../../../local/pods/pod-environment.ts'
import type { EnvVar, Pod } from '../../../local/pods/types.ts'

function environment (env: EnvVar[]): Record<string, string> {
  const container = { name: 'broker', env }
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'events-0', namespace: 'ns', uid: 'u1', labels: { 'topology.kubernetes.io/zone': 'a' }, annotations: {}
    },
    spec: { containers: [container], nodeName: 'localhost', serviceAccountName: 'events-broker' }
  }
  return podEnvironment(pod, container, {
    ports: { client: 1000, 'peer-tls': 2000 },
    folders: { '/var/lib/millrace': '/d/volumes/data-events-0' },
    kubeUrl: 'http://k'
  })
}

const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } })

describe('the environment of a local pod', () => {
  it('has the fields of the pod', () => {
    expect(environment([
      field('A', 'metadata.name'), field('B', 'metadata.namespace'), field('C', 'metadata.uid'),
      field('D', 'spec.nodeName'), field('E', 'spec.serviceAccountName'), field('F', 'status.podIP'),
      field('G', "metadata.labels['topology.kubernetes.io/zone']"), field('H', "metadata.annotations['none']")
    ])).toMatchObject({
      A: 'events-0', B: 'ns', C: 'u1', D: 'localhost', E: 'events-broker', F: '127.0.0.1', G: 'a', H: ''
    })
  })

  it('expands variables that were defined before', () => {
    expect(environment([
      { name: 'A', value: 'x' }, { name: 'B', value: '$(A)-$(A).$(LATER)-$$(A)-$A-$(' }, { name: 'LATER' },
      { name: 'C', value: '$(__proto__)$(constructor)' }
    ])).toMatchObject({ B: 'x-x.$(LATER)-$(A)-$A-$(', LATER: '', C: '$(__proto__)$(constructor)' })
  })

  it('leads into the folders of volumes', () => {
    expect(environment([
      { name: 'A', value: '/var/lib/millrace' }, { name: 'B', value: '/var/lib/millrace/x' },
      { name: 'C', value: '/var/lib/millrace2' }
    ])).toMatchObject({ A: '/d/volumes/data-events-0', B: '/d/volumes/data-events-0/x', C: '/var/lib/millrace2' })
  })

  it('says where to listen and to be reached, whatever the template says', () => {
    expect(environment([
      { name: 'MILLRACE_LISTEN_CLIENT', value: '[::]:9090' }, { name: 'MILLRACE_KUBE', value: 'x' }
    ])).toEqual({
      MILLRACE_LISTEN_CLIENT: '127.0.0.1:1000',
      MILLRACE_ADVERTISE_CLIENT: '127.0.0.1:1000',
      MILLRACE_LISTEN_PEER_TLS: '127.0.0.1:2000',
      MILLRACE_ADVERTISE_PEER_TLS: '127.0.0.1:2000',
      MILLRACE_KUBE: 'http://k',
      MILLRACE_NAMESPACE: 'ns'
    })
  })

  it('cannot have what local pods do not have', () => {
    expect(() => environment([{ name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }])).toThrow(/S from/)
    expect(() => environment([field('S', 'status.qosClass')])).toThrow(/S from/)
  })
})
