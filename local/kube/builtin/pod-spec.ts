// The pod spec, in pods and in the templates of workloads: what a real server fills in and refuses.
import { isLabel, labelErrors } from '../registry/metadata.ts'
import { compareQuantities, parseQuantity } from '../schema/quantity.ts'
import { duplicate, invalidValue, notSupported, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import { at, fill, list, make, text } from './fields.ts'
import type { Dict } from './fields.ts'

const portNamePattern = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]([a-z0-9]|-(?!-))*[a-z0-9]$|^[a-z]$/
const volumeSourceIgnored = new Set(['name'])

function probeDefaults (probe: Dict): void {
  fill(probe, 'timeoutSeconds', 1)
  fill(probe, 'periodSeconds', 10)
  fill(probe, 'successThreshold', 1)
  fill(probe, 'failureThreshold', 3)
  if (probe.httpGet !== undefined) {
    const get = at(probe, 'httpGet')
    fill(get, 'path', '/')
    fill(get, 'scheme', 'HTTP')
  }
  if (probe.grpc !== undefined) fill(at(probe, 'grpc'), 'service', '')
}

function containerDefaults (container: Dict): void {
  const image = text(container.image)
  const isLatest = !image.includes('@') && (/:latest$/.test(image) || !/:[^/]+$/.test(image))
  fill(container, 'imagePullPolicy', isLatest ? 'Always' : 'IfNotPresent')
  fill(container, 'terminationMessagePath', '/dev/termination-log')
  fill(container, 'terminationMessagePolicy', 'File')
  fill(container, 'resources', {})
  for (const port of list(container.ports)) fill(port, 'protocol', 'TCP')
  for (const variable of list(container.env)) {
    const from = at(variable, 'valueFrom')
    if (from.fieldRef !== undefined) fill(at(from, 'fieldRef'), 'apiVersion', 'v1')
    if (from.resourceFieldRef !== undefined) fill(at(from, 'resourceFieldRef'), 'divisor', '0')
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    if (container[name] !== undefined) probeDefaults(at(container, name))
  }
}

function volumeDefaults (volume: Dict): void {
  if (Object.keys(volume).every(name => volumeSourceIgnored.has(name))) volume.emptyDir = {}
  for (const name of ['secret', 'configMap', 'downwardAPI', 'projected']) {
    if (volume[name] !== undefined) fill(at(volume, name), 'defaultMode', 420)
  }
  for (const source of [volume, ...list(at(volume, 'projected').sources)]) {
    for (const item of list(at(source, 'downwardAPI').items)) {
      if (item.fieldRef !== undefined) fill(at(item, 'fieldRef'), 'apiVersion', 'v1')
    }
    if (source.serviceAccountToken !== undefined) fill(at(source, 'serviceAccountToken'), 'expirationSeconds', 3600)
  }
  if (volume.hostPath !== undefined) fill(at(volume, 'hostPath'), 'type', '')
}

export function podSpecDefaults (spec: Dict): void {
  fill(spec, 'dnsPolicy', 'ClusterFirst')
  fill(spec, 'restartPolicy', 'Always')
  fill(spec, 'securityContext', {})
  fill(spec, 'terminationGracePeriodSeconds', 30)
  fill(spec, 'schedulerName', 'default-scheduler')
  if (spec.serviceAccountName !== undefined) fill(spec, 'serviceAccount', spec.serviceAccountName)
  for (const container of [...list(spec.containers), ...list(spec.initContainers)]) containerDefaults(container)
  for (const volume of list(spec.volumes)) volumeDefaults(volume)
}

/** Requests default to limits, in pods only. */
export function podDefaults (spec: Dict): void {
  podSpecDefaults(spec)
  fill(spec, 'enableServiceLinks', true)
  for (const container of [...list(spec.containers), ...list(spec.initContainers)]) {
    const resources = at(container, 'resources')
    if (resources.limits === undefined) continue
    const requests = make(resources, 'requests')
    for (const [name, limit] of Object.entries(at(resources, 'limits'))) fill(requests, name, limit)
  }
}

function oneOf (parent: Dict, name: string, values: readonly string[], path: string): FieldError[] {
  const value = parent[name]
  return value === undefined || values.includes(text(value)) ? [] : [notSupported(`${path}.${name}`, value, values)]
}

export function portErrors (port: unknown, path: string): FieldError[] {
  if (typeof port !== 'number' || port === 0) return [required(path)]
  return port > 65535 || port < 0 ? [invalidValue(path, port, 'must be between 1 and 65535, inclusive')] : []
}

export const protocols = ['SCTP', 'TCP', 'UDP']

export function nameLabelErrors (name: string, path: string): FieldError[] {
  return name === '' || isLabel(name)
    ? []
    : [invalidValue(path, name, 'a lowercase RFC 1123 label must consist of lower case alphanumeric ' +
        "characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or " +
        "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')")]
}

function duplicateErrors (items: readonly Dict[], key: string, path: string): FieldError[] {
  const seen = new Set<string>()
  return items.flatMap((item, index): FieldError[] => {
    const value = text(item[key])
    if (value === '') return []
    const isSeen = seen.has(value)
    seen.add(value)
    return isSeen ? [duplicate(`${path}[${index}].${key}`, value)] : []
  })
}

/** A request may not be above its limit. */
function resourceErrors (resources: Dict, path: string): FieldError[] {
  const limits = at(resources, 'limits')
  return Object.entries(at(resources, 'requests')).flatMap(([name, value]): FieldError[] => {
    const [request, limit] = [parseQuantity(text(value)), parseQuantity(text(limits[name]))]
    return request === undefined || limit === undefined || compareQuantities(request, limit) <= 0
      ? []
      : [invalidValue(`${path}.requests`, value,
          `must be less than or equal to ${name} limit of ${text(limits[name])}`)]
  })
}

function containerErrors (container: Dict, path: string, volumes: ReadonlySet<string>): FieldError[] {
  const errors = [
    ...nameLabelErrors(text(container.name), `${path}.name`),
    ...oneOf(container, 'imagePullPolicy', ['Always', 'IfNotPresent', 'Never'], path),
    ...oneOf(container, 'terminationMessagePolicy', ['FallbackToLogsOnError', 'File'], path),
    ...duplicateErrors(list(container.ports), 'name', `${path}.ports`)
  ]
  if (text(container.image) === '') errors.push(required(`${path}.image`))
  list(container.ports).forEach((port, index) => {
    const field = `${path}.ports[${index}]`
    errors.push(...portErrors(port.containerPort, `${field}.containerPort`))
    errors.push(...oneOf(port, 'protocol', protocols, field))
    if (text(port.name).length > 15) {
      errors.push(invalidValue(`${field}.name`, port.name, 'must be no more than 15 characters'))
    } else if (port.name !== undefined && !portNamePattern.test(text(port.name))) {
      errors.push(invalidValue(`${field}.name`, port.name, 'must contain only alphanumeric characters ' +
        '(a-z, 0-9), hyphens (\'-\') not at its ends nor twice in a row, and at least one letter (a-z)'))
    }
  })
  list(container.env).forEach((variable, index) => {
    const name = text(variable.name)
    if (name.includes('=')) {
      errors.push(invalidValue(`${path}.env[${index}].name`, name,
        'a valid environment variable name must consist only of printable ASCII characters other than \'=\''))
    }
    if (variable.valueFrom !== undefined && text(variable.value) !== '') {
      errors.push(invalidValue(`${path}.env[${index}].valueFrom`, '', 'may not be specified when `value` is not empty'))
    }
  })
  errors.push(...resourceErrors(at(container, 'resources'), `${path}.resources`))
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    for (const action of ['httpGet', 'tcpSocket', 'grpc']) {
      const port = at(container, name, action).port
      if (typeof port === 'number' && (port < 1 || port > 65535)) {
        errors.push(invalidValue(`${path}.${name}.${action}.port`, port, 'must be between 1 and 65535, inclusive'))
      }
    }
  }
  list(container.volumeMounts).forEach((mount, index) => {
    const name = text(mount.name)
    if (name === '' || volumes.has(name)) return
    errors.push({
      reason: 'FieldValueNotFound',
      field: `${path}.volumeMounts[${index}].name`,
      message: `Not found: ${JSON.stringify(name)}`
    })
  })
  return errors
}

/** `extraVolumes`: names of a StatefulSet's volumeClaimTemplates, which become volumes. */
export function podSpecErrors (spec: Dict, path: string, extraVolumes: readonly string[] = []): FieldError[] {
  const volumes = list(spec.volumes)
  const names = new Set([...volumes.map(volume => text(volume.name)), ...extraVolumes])
  const errors = [
    ...oneOf(spec, 'restartPolicy', ['Always', 'Never', 'OnFailure'], path),
    ...oneOf(spec, 'dnsPolicy', ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], path),
    ...duplicateErrors(volumes, 'name', `${path}.volumes`),
    ...duplicateErrors([...list(spec.containers)], 'name', `${path}.containers`)
  ]
  volumes.forEach((volume, index) => {
    errors.push(...nameLabelErrors(text(volume.name), `${path}.volumes[${index}].name`))
  })
  for (const kind of ['containers', 'initContainers']) {
    list(spec[kind]).forEach((container, index) => {
      errors.push(...containerErrors(container, `${path}.${kind}[${index}]`, names))
    })
  }
  return errors
}

export function templateErrors (template: Dict, path: string, extraVolumes: readonly string[] = []): FieldError[] {
  return [
    ...labelErrors(at(template, 'metadata', 'labels') as Record<string, string>, `${path}.metadata.labels`),
    ...podSpecErrors(at(template, 'spec'), `${path}.spec`, extraVolumes)
  ]
}
