// Addresses for clients beside those inside Kubernetes.
import type { ArraySchema } from './json-schema.ts'

/** As broker/limits.ts. */
export const listenersMax = 5

export const listenersSchema = {
  description: 'More ways for clients, beside the one inside Kubernetes. Another name or port restarts the brokers, ' +
    'one at a time.',
  type: 'array',
  maxItems: listenersMax,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['name'],
  items: {
    type: 'object',
    required: ['name', 'type', 'port'],
    properties: {
      name: { description: 'It names Services and ports.', type: 'string', maxLength: 9, pattern: '^[a-z][a-z0-9]*$' },
      type: {
        description: 'By the pods, by a port of the nodes, or by a load balancer for each broker.',
        type: 'string',
        enum: ['internal', 'nodePort', 'loadBalancer']
      },
      port: {
        description: 'Where brokers, Services and load balancers listen; Kubernetes chooses the port of the nodes.',
        type: 'integer',
        format: 'int32',
        minimum: 1024,
        maximum: 65535
      },
      advertised: {
        description: 'What clients are told instead of the address found: host or host:port, with {broker} for the ' +
          "id and {node} for the node's address.",
        type: 'string',
        maxLength: 253,
        pattern: '^([A-Za-z0-9.-]|\\{broker\\}|\\{node\\})+(:[0-9]{1,5})?$'
      }
    },
    'x-kubernetes-validations': [{
      rule: "!has(self.advertised) || self.advertised.contains('{broker}') || self.type == 'nodePort'",
      message: 'advertised must hold {broker}: each broker has an address of its own'
    }, {
      rule: "!(self.name in ['client', 'peer', 'metrics', 'brokers', 'bootstrap']) && " +
        '!(self.port in [9090, 9091, 9100])',
      message: 'the names and ports that brokers have by themselves are taken: client 9090, peer 9091, metrics 9100'
    }]
  },
  'x-kubernetes-validations': [{
    rule: 'self.all(a, self.exists_one(b, a.port == b.port))',
    message: 'each listener has a port of its own'
  }]
} as const satisfies ArraySchema

export type Listener = {
  readonly name: string
  readonly type: 'internal' | 'nodePort' | 'loadBalancer'
  readonly port: number
  readonly advertised?: string | undefined
}
