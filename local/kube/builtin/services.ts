// Services, Endpoints, EndpointSlices and NetworkPolicies.
import type { KubeObject } from '../object.ts'
import { labelErrors } from '../registry/metadata.ts'
import type { Strategy } from '../registry/resource.ts'
import { duplicate, invalidValue, notSupported, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import { at, fill, list, make, text } from './fields.ts'
import type { Dict } from './fields.ts'
import { nameLabelErrors, protocols } from './pod-spec.ts'

/** There is no network of our own: a Service's address is where its local listener is. */
const clusterIp = '127.0.0.1'
const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']

function serviceDefaults (service: KubeObject): void {
  const spec = make(service, 'spec')
  fill(spec, 'sessionAffinity', 'None')
  fill(spec, 'type', 'ClusterIP')
  for (const port of list(spec.ports)) {
    fill(port, 'protocol', 'TCP')
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port
  }
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') fill(spec, 'externalTrafficPolicy', 'Cluster')
  if (spec.type !== 'ExternalName') fill(spec, 'internalTrafficPolicy', 'Cluster')
  if (spec.type === 'LoadBalancer') fill(spec, 'allocateLoadBalancerNodePorts', true)
}

/** What a real server allocates. */
function allocate (spec: Dict): void {
  if (spec.type === 'ExternalName') return
  fill(spec, 'clusterIP', clusterIp)
  if (spec.clusterIP === '') spec.clusterIP = clusterIp
  fill(spec, 'clusterIPs', [spec.clusterIP])
  fill(spec, 'ipFamilies', ['IPv4'])
  fill(spec, 'ipFamilyPolicy', 'SingleStack')
}

function serviceErrors (service: KubeObject): FieldError[] {
  const spec = at(service, 'spec')
  const ports = list(spec.ports)
  const errors: FieldError[] = []
  if (!types.includes(text(spec.type))) errors.push(notSupported('spec.type', spec.type, types))
  const isHeadless = spec.clusterIP === 'None'
  if (ports.length === 0 && !isHeadless && spec.type !== 'ExternalName') errors.push(required('spec.ports'))
  errors.push(...labelErrors(at(spec, 'selector') as Record<string, string>, 'spec.selector'))
  const names = new Set<string>()
  ports.forEach((port, index) => {
    const path = `spec.ports[${index}]`
    const name = text(port.name)
    if (name === '' && ports.length > 1) errors.push(required(`${path}.name`))
    if (name !== '' && names.has(name)) {
      errors.push({
        reason: 'FieldValueDuplicate', field: `${path}.name`, message: `Duplicate value: ${JSON.stringify(name)}`
      })
    }
    names.add(name)
    errors.push(...nameLabelErrors(name, `${path}.name`))
    if (typeof port.port !== 'number' || port.port < 1 || port.port > 65535) {
      errors.push(invalidValue(`${path}.port`, port.port ?? 0, 'must be between 1 and 65535, inclusive'))
    }
    if (!protocols.includes(text(port.protocol))) {
      errors.push(notSupported(`${path}.protocol`, port.protocol, protocols))
    }
    const target = port.targetPort
    if (typeof target === 'number' && (target < 1 || target > 65535)) {
      errors.push(invalidValue(`${path}.targetPort`, target, 'must be between 1 and 65535, inclusive'))
    }
    const same = ports.findIndex(one => one.port === port.port && one.protocol === port.protocol)
    if (same < index) errors.push(duplicate(path, { name, protocol: port.protocol, port: port.port }))
  })
  return errors
}

export const serviceStrategy: Strategy = {
  defaults: serviceDefaults,
  prepareCreate (service) {
    allocate(make(service, 'spec'))
    service.status = { loadBalancer: {} }
  },
  prepareUpdate (service, old) {
    const [spec, before] = [make(service, 'spec'), at(old, 'spec')]
    if (spec.type === before.type) {
      // A client that leaves out what was allocated keeps it.
      for (const name of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) fill(spec, name, before[name])
    }
    allocate(spec)
  },
  validate: serviceErrors,
  validateUpdate (service, old) {
    const [ip, before] = [at(service, 'spec').clusterIP, at(old, 'spec').clusterIP]
    return ip === before || before === undefined || at(service, 'spec').type === 'ExternalName'
      ? []
      : [invalidValue('spec.clusterIPs[0]', [ip], 'may not change once set')]
  }
}

export const endpointsStrategy: Strategy = {
  defaults (endpoints) {
    for (const subset of list(endpoints.subsets)) for (const port of list(subset.ports)) fill(port, 'protocol', 'TCP')
  }
}

export const endpointSliceStrategy: Strategy = {
  defaults (slice) {
    for (const port of list(slice.ports)) {
      fill(port, 'name', '')
      fill(port, 'protocol', 'TCP')
    }
    slice.endpoints ??= []
  },
  validate (slice) {
    const kinds = ['FQDN', 'IPv4', 'IPv6']
    return kinds.includes(text(slice.addressType)) || slice.addressType === undefined
      ? []
      : [notSupported('addressType', slice.addressType, kinds)]
  },
  validateUpdate: (slice, old) => slice.addressType === old.addressType
    ? []
    : [invalidValue('addressType', slice.addressType, 'field is immutable')]
}

export const networkPolicyStrategy: Strategy = {
  defaults (policy) {
    const spec = make(policy, 'spec')
    fill(spec, 'podSelector', {})
    fill(spec, 'policyTypes', list(spec.egress).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'])
    for (const rule of [...list(spec.ingress), ...list(spec.egress)]) {
      for (const port of list(rule.ports)) fill(port, 'protocol', 'TCP')
    }
  },
  validate (policy) {
    const kinds = ['Egress', 'Ingress']
    const given = at(policy, 'spec').policyTypes
    return (Array.isArray(given) ? given : []).filter(kind => !kinds.includes(String(kind)))
      .map(kind => notSupported('spec.policyTypes', kind, kinds))
  }
}

/** minAvailable and maxUnavailable: a number that is not negative, or a percentage up to 100. */
function portionErrors (value: unknown, path: string): FieldError[] {
  if (value === undefined) return []
  if (typeof value === 'number') {
    return value < 0 ? [invalidValue(path, value, 'must be greater than or equal to 0')] : []
  }
  const match = /^(\d+)%$/.exec(text(value))
  if (match === null) {
    return [invalidValue(path, value, "a valid percent string must be a numeric string followed by an ending '%' " +
      "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')")]
  }
  return Number(match[1]) > 100 ? [invalidValue(path, value, 'must not be greater than 100%')] : []
}

export const disruptionBudgetStrategy: Strategy = {
  prepareCreate (budget) {
    budget.status = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }
  },
  validate (budget) {
    const spec = at(budget, 'spec')
    const errors = [
      ...portionErrors(spec.minAvailable, 'spec.minAvailable'),
      ...portionErrors(spec.maxUnavailable, 'spec.maxUnavailable')
    ]
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
      errors.push(invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set'))
    }
    const policy = spec.unhealthyPodEvictionPolicy
    const policies = ['AlwaysAllow', 'IfHealthyBudget']
    if (policy !== undefined && !policies.includes(text(policy))) {
      errors.push(notSupported('spec.unhealthyPodEvictionPolicy', policy, policies))
    }
    return errors
  }
}
